"""Well-known films as Letterboxd writes them: title, year and IMDb id."""

from __future__ import annotations

FILMS = [
    (title, int(year), imdb_id)
    for title, year, imdb_id in (
        line.split("|")
        for line in """
The Godfather|1972|tt0068646
The Shawshank Redemption|1994|tt0111161
Pulp Fiction|1994|tt0110912
Amélie|2001|tt0211915
Se7en|1995|tt0114369
Fight Club|1999|tt0137523
The Matrix|1999|tt0133093
Forrest Gump|1994|tt0109830
GoodFellas|1990|tt0099685
City of God|2002|tt0317248
Spirited Away|2001|tt0245429
Parasite|1982|tt0084472
Seven Samurai|1954|tt0047478
Star Wars|1977|tt0076759
The Empire Strikes Back|1980|tt0080684
Return of the Jedi|1983|tt0086190
Raiders of the Lost Ark|1981|tt0082971
Indiana Jones and the Last Crusade|1989|tt0097576
Léon: The Professional|1994|tt0110413
The Usual Suspects|1995|tt0114814
The Silence of the Lambs|1991|tt0102926
Saving Private Ryan|1998|tt0120815
Schindler's List|1993|tt0108052
The Lord of the Rings: The Fellowship of the Ring|2001|tt0120737
The Lord of the Rings: The Two Towers|2002|tt0167261
The Lord of the Rings: The Return of the King|2003|tt0167260
The Dark Knight|2008|tt0468569
Inception|2010|tt1375666
Interstellar|2014|tt0816692
Memento|2000|tt0209144
The Prestige|2006|tt0482571
Batman Begins|2005|tt0372784
The Dark Knight Rises|2012|tt1345836
Gladiator|2000|tt0172495
The Departed|2006|tt0407887
Django Unchained|2012|tt1853728
Inglourious Basterds|2009|tt0361748
Kill Bill: Vol. 1|2003|tt0266697
Kill Bill: Vol. 2|2004|tt0378194
Reservoir Dogs|1992|tt0105236
Jackie Brown|1997|tt0119396
Death Proof|2007|tt1028528
Psycho|1960|tt0054215
Vertigo|1958|tt0052357
Rear Window|1954|tt0047396
North by Northwest|1959|tt0053125
The Birds|1963|tt0056869
Rope|1948|tt0040746
Citizen Kane|1941|tt0033467
Casablanca|1942|tt0034583
The Maltese Falcon|1941|tt0033870
The Big Sleep|1946|tt0038355
Double Indemnity|1944|tt0036775
Sunset Boulevard|1950|tt0043014
Some Like It Hot|1959|tt0053291
The Apartment|1960|tt0053604
12 Angry Men|1957|tt0050083
Lawrence of Arabia|1962|tt0056172
The Bridge on the River Kwai|1957|tt0050212
Doctor Zhivago|1965|tt0059113
2001: A Space Odyssey|1968|tt0062622
A Clockwork Orange|1971|tt0066921
The Shining|1980|tt0081505
Full Metal Jacket|1987|tt0093058
Barry Lyndon|1975|tt0072684
Dr. Strangelove or: How I Learned to Stop Worrying and Love the Bomb|1964|tt0057012
Paths of Glory|1957|tt0050825
Eyes Wide Shut|1999|tt0120663
Taxi Driver|1976|tt0075314
Raging Bull|1980|tt0081398
Casino|1995|tt0112641
The King of Comedy|1982|tt0085794
Shutter Island|2010|tt1130884
Hugo|2011|tt0970179
Apocalypse Now|1979|tt0078788
The Conversation|1974|tt0071360
The Godfather Part II|1974|tt0071562
The Godfather Part III|1990|tt0099674
Chinatown|1974|tt0071315
Rosemary's Baby|1968|tt0063522
Repulsion|1965|tt0059646
The Pianist|2002|tt0253474
Alien|1979|tt0078748
Aliens|1986|tt0090605
Alien³|1992|tt0103644
Blade Runner|1982|tt0083658
Thelma & Louise|1991|tt0103074
The Martian|2015|tt3659388
Terminator 2: Judgment Day|1991|tt0103064
The Terminator|1984|tt0088247
Avatar|2009|tt0499549
Titanic|1997|tt0120338
The Abyss|1989|tt0096754
Jaws|1975|tt0073195
E.T. the Extra-Terrestrial|1982|tt0083866
Close Encounters of the Third Kind|1977|tt0075860
Jurassic Park|1993|tt0107290
Minority Report|2002|tt0181689
Catch Me If You Can|2002|tt0264464
A.I. Artificial Intelligence|2001|tt0212720
Back to the Future|1985|tt0088763
Back to the Future Part II|1989|tt0096874
Who Framed Roger Rabbit|1988|tt0096438
Cast Away|2000|tt0162222
Toy Story|1995|tt0114709
Toy Story 2|1999|tt0120363
Toy Story 3|2010|tt0435761
Finding Nemo|2003|tt0266543
The Incredibles|2004|tt0317705
Ratatouille|2007|tt0382932
WALL·E|2008|tt0910970
Up|2009|tt1049413
Inside Out|2015|tt2096673
Monsters, Inc.|2001|tt0198781
The Lion King|1994|tt0110357
Beauty and the Beast|1991|tt0101414
Aladdin|1992|tt0103639
Snow White and the Seven Dwarfs|1937|tt0029583
My Neighbor Totoro|1988|tt0096283
Princess Mononoke|1997|tt0119698
Howl's Moving Castle|2004|tt0347149
Grave of the Fireflies|1988|tt0095327
Akira|1988|tt0094625
Ghost in the Shell|1995|tt0113568
Perfect Blue|1997|tt0156887
Rashomon|1950|tt0042876
Ikiru|1952|tt0044741
Ran|1985|tt0089881
Yojimbo|1961|tt0055630
Throne of Blood|1957|tt0050613
Tokyo Story|1953|tt0046438
Oldboy|2003|tt0364569
Memories of Murder|2003|tt0353969
The Host|2006|tt0468492
In the Mood for Love|2000|tt0118694
Chungking Express|1994|tt0109424
Crouching Tiger, Hidden Dragon|2000|tt0190332
Hero|2002|tt0299977
Infernal Affairs|2002|tt0338564
Battle Royale|2000|tt0266308
Ring|1998|tt0178868
The Ring|2002|tt0298130
Solaris|1972|tt0069293
Solaris|2002|tt0307479
Stalker|1979|tt0079944
Andrei Rublev|1966|tt0060107
Come and See|1985|tt0091251
Battleship Potemkin|1925|tt0015648
Man with a Movie Camera|1929|tt0019760
Metropolis|1927|tt0017136
M|1931|tt0022100
Nosferatu|1922|tt0013442
The Cabinet of Dr. Caligari|1920|tt0010323
Das Boot|1981|tt0082096
Wings of Desire|1987|tt0093191
The Lives of Others|2006|tt0405094
Run Lola Run|1998|tt0130827
Good Bye, Lenin!|2003|tt0301357
Downfall|2004|tt0363163
La Dolce Vita|1960|tt0053779
8½|1963|tt0056801
Amarcord|1973|tt0071129
La Strada|1954|tt0047528
Bicycle Thieves|1948|tt0040522
Rome, Open City|1945|tt0038890
Cinema Paradiso|1988|tt0095765
Life Is Beautiful|1997|tt0118799
The Good, the Bad and the Ugly|1966|tt0060196
Once Upon a Time in the West|1968|tt0064116
A Fistful of Dollars|1964|tt0058461
For a Few Dollars More|1965|tt0059578
Suspiria|1977|tt0076786
Blow-Up|1966|tt0060176
L'Avventura|1960|tt0053619
The Leopard|1963|tt0057091
Breathless|1960|tt0053472
The 400 Blows|1959|tt0053198
Jules and Jim|1962|tt0055032
Contempt|1963|tt0057345
Rififi|1955|tt0048021
Le Samouraï|1967|tt0062229
The Wages of Fear|1953|tt0046268
Les Diaboliques|1955|tt0046911
Grand Illusion|1937|tt0028950
The Rules of the Game|1939|tt0031885
Children of Paradise|1945|tt0037674
La Haine|1995|tt0113247
Delicatessen|1991|tt0101700
The City of Lost Children|1995|tt0112682
Three Colors: Blue|1993|tt0108394
Three Colors: White|1994|tt0111507
Three Colors: Red|1994|tt0111495
The Double Life of Véronique|1991|tt0101765
The Seventh Seal|1957|tt0050976
Wild Strawberries|1957|tt0050986
Persona|1966|tt0060827
Fanny and Alexander|1982|tt0083922
Cries and Whispers|1972|tt0069467
Let the Right One In|2008|tt1139797
The Girl with the Dragon Tattoo|2009|tt1132620
The Girl with the Dragon Tattoo|2011|tt1568346
The Celebration|1998|tt0154420
Dancer in the Dark|2000|tt0168629
Breaking the Waves|1996|tt0115751
Dogville|2003|tt0276919
Melancholia|2011|tt1527186
The Hunt|2012|tt2106476
Pan's Labyrinth|2006|tt0457430
The Devil's Backbone|2001|tt0256009
Open Your Eyes|1997|tt0125659
Vanilla Sky|2001|tt0259711
The Others|2001|tt0230600
All About My Mother|1999|tt0185125
Talk to Her|2002|tt0287467
Volver|2006|tt0441909
The Skin I Live In|2011|tt1189073
The Secret in Their Eyes|2009|tt1305806
Amores Perros|2000|tt0245712
Y Tu Mamá También|2001|tt0245574
Birdman or (The Unexpected Virtue of Ignorance)|2014|tt2562232
The Revenant|2015|tt1663202
Gravity|2013|tt1454468
Children of Men|2006|tt0206634
Boyhood|2014|tt1065073
Before Sunrise|1995|tt0112471
Before Sunset|2004|tt0381681
Whiplash|2014|tt2582802
The Grand Budapest Hotel|2014|tt2278388
The Royal Tenenbaums|2001|tt0265666
Rushmore|1998|tt0128445
Moonrise Kingdom|2012|tt1748122
Fantastic Mr. Fox|2009|tt0432283
There Will Be Blood|2007|tt0469494
Magnolia|1999|tt0175880
Boogie Nights|1997|tt0118749
Punch-Drunk Love|2002|tt0272338
The Master|2012|tt1560747
No Country for Old Men|2007|tt0477348
Fargo|1996|tt0116282
The Big Lebowski|1998|tt0118715
O Brother, Where Art Thou?|2000|tt0190590
Blood Simple|1984|tt0086979
True Grit|2010|tt1403865
True Grit|1969|tt0065126
Mulholland Drive|2001|tt0166924
Blue Velvet|1986|tt0090756
Eraserhead|1977|tt0074486
Lost Highway|1997|tt0116922
The Elephant Man|1980|tt0080678
Eternal Sunshine of the Spotless Mind|2004|tt0338013
Being John Malkovich|1999|tt0120601
Adaptation.|2002|tt0268126
Her|2013|tt1798709
Lost in Translation|2003|tt0335266
The Virgin Suicides|1999|tt0159097
Requiem for a Dream|2000|tt0180093
Black Swan|2010|tt0947798
Trainspotting|1996|tt0117951
28 Days Later|2002|tt0289043
Slumdog Millionaire|2008|tt1010048
Shaun of the Dead|2004|tt0365748
Hot Fuzz|2007|tt0425112
Monty Python and the Holy Grail|1975|tt0071853
Life of Brian|1979|tt0079470
Brazil|1985|tt0088846
Twelve Monkeys|1995|tt0114746
Heat|1995|tt0113277
The Insider|1999|tt0140352
Collateral|2004|tt0369339
L.A. Confidential|1997|tt0119488
American Beauty|1999|tt0169547
American History X|1998|tt0120586
Donnie Darko|2001|tt0246578
Groundhog Day|1993|tt0107048
Ghostbusters|1984|tt0087332
Die Hard|1988|tt0095016
Mad Max: Fury Road|2015|tt1392190
Mad Max 2|1981|tt0082694
District 9|2009|tt1136608
Moon|2009|tt1182345
Star Trek|2009|tt0796366
Star Wars: The Force Awakens|2015|tt2488496
Star Wars: Episode I – The Phantom Menace|1999|tt0120915
Harry Potter and the Philosopher's Stone|2001|tt0241527
Mission: Impossible|1996|tt0117060
King Kong|1933|tt0024216
King Kong|2005|tt0360717
The Thing|1982|tt0084787
Halloween|1978|tt0077651
Scream|1996|tt0117571
The Exorcist|1973|tt0070047
""".strip().splitlines()
    )
]
