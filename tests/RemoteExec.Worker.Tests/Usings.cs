global using Directory = System.IO.Directory;
