"""What people have rated, watched or noted elsewhere: read from an export, and matched with the catalogue."""
