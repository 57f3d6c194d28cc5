"""The texts of the sample, all invented: titles, taglines and genres of every family, names, studios, tags."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """Movies of one visual style."""

    years: tuple[int, int]  # first, last
    genres: tuple[str, ...]  # of every movie
    more_genres: tuple[str, ...]  # each movie has at most one of these, too
    titles: tuple[str, ...]
    taglines: tuple[str, ...]


def _split(text: str) -> tuple[str, ...]:
    return tuple(" ".join(part.split()) for part in text.split("|"))


FAMILY_WORDS: dict[str, Family] = {
    "noir": Family(
        (1941, 1958),
        ("Crime", "Film-Noir"),
        ("Mystery", "Thriller", "Drama"),
        _split("""
            The Pallid Alibi | Rain on Mercer Street | A Debt After Midnight | The Lamplight Witness |
            Nobody Leaves Harbor City | Cold Ash and Lipstick | The Silent Switchboard | Nine Blocks to Nowhere |
            Shadow for Hire | The Velvet Ledger | Last Call at the Meridian | Smoke Keeps Secrets |
            The Crooked Mile of Eddie Lark | Murder Takes the Stairs | The Woman on Pier Seven |
            Dead Men Pay Cash | One Bullet Too Honest | The Sleepless Precinct | Goodnight, Inspector Crane |
            A Grave Without Flowers
        """),
        _split("""
            In this town even the rain has an alibi. | She told the truth once. It killed a man. |
            Every shadow has a price. | He never saw the second car. | The city sleeps. The guilty don't. |
            Trust no one after dark.
        """),
    ),
    "space": Family(
        (1966, 2019),
        ("Sci-Fi", "Adventure"),
        ("Action", "Drama", "Thriller"),
        _split("""
            Beyond the Ember Moons | The Cassini Mutiny | Orphans of Helion | Starfall Armada |
            The Last Cartographer | Signal from Vela Nine | Drift Station | Children of the Perihelion |
            The Quiet Between Suns | Ring of Thessaly | Void Harvest | The Andara Crossing | Nebula Run |
            A Thousand Years to Lyra | Exiles of the Ninth Orbit | The Glass Comet | Kepler's Daughter |
            Iron Sky Pilgrims | The Long Burn Home | Titan Underground
        """),
        _split("""
            Home is nine light years behind you. | The stars are listening. |
            One ship. One chance. No way back. | Some maps should stay blank. | Out here, nobody is lost alone. |
            The future has already left.
        """),
    ),
    "cartoon": Family(
        (1988, 2021),
        ("Animation", "Children"),
        ("Comedy", "Adventure", "Musical"),
        _split("""
            Bobo and the Big Balloon | The Pickle Parade | Captain Custard | Wigglesworth Goes to School |
            Moon Cheese Mayhem | The Very Late Dragon | Pip, Pop and Paddle | Granny Turbo |
            My Neighbor Is a Yeti | Snail Mail | The Great Waffle Robbery | Jellybean Junction |
            Ollie the Upside-Down Owl | Socks! | The Fuzzles Save Tuesday | Zip Zap Zebra |
            Monster Under Management | Hiccup Hotel | The Penguin Who Hated Snow | Doodle Squad
        """),
        _split("""
            Big heart. Bigger feet. | The silliest adventure of the summer! | Bedtime will have to wait. |
            Twice the giggles, half the plan! | Small hero. Huge trouble. | Fun for everyone under 103.
        """),
    ),
    "western": Family(
        (1949, 1976),
        ("Western",),
        ("Action", "Adventure", "Drama"),
        _split("""
            Red Dust at Sundown | The Widow of Dry Creek | Six Graves to Abilene Gap | A Rope for Mr. Calloway |
            Mesa of Vultures | The Silver Spur Gang | Ride Out, Stranger | Coffin Wagon |
            The Marshal of Bitter Springs | Blood on the Sagebrush | Two Mules and a Preacher |
            Thunder over Cutler Ridge | The Last Stage to Perdition | Copperhead Canyon |
            No Water West of Laredo | The Cottonwood Boys | Gunsmoke Psalm | Lonesome Jack Tully |
            Where the Coyote Sleeps | The Long Ride to Mercy
        """),
        _split("""
            The desert buries its own. | He rode in alone. He left a legend. | Justice is a long way from here. |
            Draw first. Pray later. | Some trails only go one way. | The law ends at the river.
        """),
    ),
    "romance": Family(
        (1984, 2018),
        ("Romance",),
        ("Comedy", "Drama"),
        _split("""
            Letters to Marguerite | The Summer We Borrowed | Almost Yours, Always | A Table by the Window |
            Paper Hearts in Paris | The Florist's Daughter | Meet Me at the Carousel | Twenty-One Springtimes |
            The Wedding Cartographer | Falling for Thomas Finch | One Umbrella | Kiss Me in Kyoto Station |
            The Love Song of June Avery | The Ferry Before the Last | Strawberry Lane | A Proposal in Porto |
            Dear Stranger, Dear Heart | The Baker and the Balloonist | Half Past Forever |
            Slow Dance for Two Left Feet
        """),
        _split("""
            Love was never on the itinerary. | Some goodbyes are only the beginning. |
            Two hearts. One terrible sense of direction. | It started with a borrowed umbrella. |
            Say yes before the music stops. | Every love letter needs an answer.
        """),
    ),
    "horror": Family(
        (1973, 2019),
        ("Horror",),
        ("Thriller", "Mystery"),
        _split("""
            The Crawling Attic | Whisper Orchard | They Knock Below | The Hollow Children | Blackthorn House |
            Do Not Wake Agnes | Bonefield | The Seventh Scarecrow | What the Well Remembers |
            Night of the Marrow | Teeth in the Wallpaper | The Drowned Choir | Mother's Other Room |
            Scarlet Vigil | The Lullaby Killings | Rotwood Hollow | A Candle for the Butcher |
            The Thing in Cabin Nine | Hush, Little Coffin | Grave Hour
        """),
        _split("""
            It was never just the wind. | Don't count the children. | The door was locked from the inside. |
            Pray it doesn't learn your name. | Some houses stay hungry. | You'll leave the light on.
        """),
    ),
    "nature": Family(
        (1994, 2022),
        ("Documentary",),
        ("Adventure", "Children", "IMAX"),
        _split("""
            Kingdom of Moss | The Patient River | Where Glaciers Breathe | A Year Among Pines |
            The Secret Life of Fog | The High Meadow Year | Wings over the Taiga | The Salmon Road |
            Earth Before Breakfast | Green Cathedral | The Wolves of Lake Oren | Rain Country |
            Ten Thousand Herons | Valley of the Elk | The Mountain Keeps Time | Roots and Rainfall |
            Silent Tundra | The Great Thaw | Canopy Dreams | An Island Called Patience
        """),
        _split("""
            A journey into the living world. | Narrated by the silence itself. |
            The forest has a longer memory. | Four seasons. One valley. | Look closer. | Filmed over nine winters.
        """),
    ),
    "heist": Family(
        (1964, 2020),
        ("Thriller", "Crime"),
        ("Action", "Comedy", "Mystery"),
        _split("""
            The Geneva Switch | Operation Nightjar | Eleven Minutes to Vault | The Man in Room Zero |
            Codename Marigold | The Lisbon Cipher | Double Cross Country | Steal the Morning |
            Agent Without a Shadow | The Monaco Subtraction | Clean Getaway Club | A Spy for All Sundays |
            The Diamond Arithmetic | Dead Drop in Danzig | The Zurich Gambit | Forty Keys | Target: Nobody |
            The Counterfeit Ambassador | Safe Words | The Inside Woman
        """),
        _split("""
            The plan was perfect. So was the trap. | Five experts. One exit. | Never shake hands with the left. |
            The safe is the easy part. | Everyone has a code. Crack it. | Licence revoked.
        """),
    ),
    "musical": Family(
        (1948, 2016),
        ("Musical",),
        ("Comedy", "Romance", "Drama"),
        _split("""
            Footlights and Fireflies | The Ballad of Broadway Bess | Sing Me to Savannah | Curtain Up, Charlie! |
            The Tap-Dancing Duchess | Moonlight Matinee | Encore for Evelyn | Hotel Hullabaloo |
            Brass Band Baby | The Star of Sixth Avenue | Sequins | A Song for the Subway | Razzle Street |
            The Understudy's Waltz | Midnight at the Majestic | Ten Chorus Girls | Velvet Serenade |
            The Piano Player's Bride | High Hat Holiday | Swing Along to Santa Rosa
        """),
        _split("""
            The whole town is humming! | All singing. All dancing. All heart. | Her name goes up in lights. |
            The show must go wrong first. | Music by moonlight! | One night on the great white way.
        """),
    ),
    "samurai": Family(
        (1954, 2006),
        ("Action", "Drama"),
        ("Adventure", "War"),
        _split("""
            The Crane and the Katana | Seven Steps of Bamboo | The Ronin's Long Autumn | The Sword That Wept |
            Lady of the White Fan | Blossoms on the Blade | The Monk of Iron Mountain | Duel at Heron Bridge |
            Shadow of the Red Sun | The Silent Disciple | Ten Winters a Wanderer | Wind over the Jade Pass |
            The Blind Swordsmith | Oath of the Falling Leaf | Drunken Tiger, Sober Moon |
            The Last Student of Master Wen | Rain on the Paper House | Empress of Arrows | The Ink Warrior |
            Snow Covers the Temple
        """),
        _split("""
            A blade remembers every promise. | Honor has a sharper edge. | One road. One sword. One winter. |
            The master fell. The silence did not. | Still water cuts deepest. | Bow before you draw.
        """),
    ),
    "war": Family(
        (1957, 2017),
        ("War", "Drama"),
        ("Action",),
        _split("""
            The Bridge at Valmont | Hill Four-Oh-Nine | Letters from the Mud | Bravo Company Sleeps |
            The Longest Trench | Gray Dawn Rising | Wings of the Forty-Second | No Birds at Arlonne |
            The Signalman's War | Steel Rain over Sorrel | Three Days in Drenova | Ash Battalion |
            The Medic of Marrow Field | Parachutes at Dusk | Sergeant Halloran's Boys | A Flag for Kessel Ridge |
            The Winter Convoy | Barbed Wire Christmas | Retreat from Oster | The Bugler's Silence
        """),
        _split("""
            They held the line until there was none. | History forgot their names. |
            Brothers before dawn. Ghosts by noon. | The hill was not on any map. |
            Courage is quieter than guns. | Nobody marches home alone.
        """),
    ),
    "fantasy": Family(
        (1982, 2020),
        ("Fantasy", "Adventure"),
        ("Action", "Children", "Romance"),
        _split("""
            The Thornwood Crown | Dragon of the Glass Mountain | Elowen's Oath | The Seventh Runestone |
            Keeper of the Silver Gate | The Witch-King's Apprentice | Tales of Evermere |
            A Sword for the Nameless | The Moonbound Throne | Wyrmfire | The Enchanter's Daughter |
            Beyond the Elder Door | Quest for the Amber Horn | The Castle in the Sea of Clouds |
            Stormcaller's Bargain | The Goblin Almanac | Legend of the Starlit Vale | The Unicorn Rider of Orm |
            The Spellbreaker's Debt | Prince of Owls
        """),
        _split("""
            Every crown casts a shadow. | The old magic is waking. | Beyond the last map, a kingdom waits. |
            Not all dragons sleep. | Only the forgotten can be free. | A door opens once in a hundred years.
        """),
    ),
}

FIRST_NAMES = _split("""
    Ida | Tomas | Greta | Leonard | Maribel | Oskar | Vivian | Rafael | June | Anselm | Noor | Clement
""")

LAST_NAMES = _split("""
    Marlowe | Vance | Okafor | Lindqvist | Tanaka | Delacroix | Whitlock | Ferrante | Abernathy | Sorel |
    Castellan | Munro
""")

STUDIOS = _split("""
    Lantern Pictures | Halcyon Films | Northgate | Paper Moon Works | Meridian Studios | Blue Heron
""")

TAGS = _split("""
    beautiful poster | great ending | slow burn | atmospheric | predictable | cult classic | visually stunning |
    too long | great soundtrack | underrated | witty | watch again | bleak | feel-good | twist
""")
