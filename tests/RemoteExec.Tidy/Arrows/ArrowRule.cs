namespace RemoteExec.Tidy;

/// <summary>One row of the floor plan: what an assembly may refer to, besides the base library.</summary>
/// <param name="Rooms">Our own assemblies, without the prefix "RemoteExec.".</param>
/// <param name="Packages">Third-party assemblies; a name that ends in a star stands for all that begin so.</param>
internal sealed record ArrowRule(string Assembly, string Why, string[] Rooms, string[] Packages);
