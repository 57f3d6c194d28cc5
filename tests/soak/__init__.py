"""Long runs against real servers: commands to run by hand. A short run of each is a test."""
