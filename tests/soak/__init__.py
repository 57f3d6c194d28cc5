"""Long runs against real servers: commands by hand, each called short by a test so that it stays true."""
