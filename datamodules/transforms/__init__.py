"""Image transforms of protocols, one file each; the file name is the name in a grid file."""
