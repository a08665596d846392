using System.Collections;
using System.Reflection;

namespace RemoteExec.Services.Tests;

/// <summary>What is held by something: by its fields, by the closures of its delegates, by the items of its collections; of our own assemblies.</summary>
internal static class ObjectGraph
{
    private const BindingFlags Fields = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    public static IReadOnlySet<object> Of(object root)
    {
        var seen = new HashSet<object>(ReferenceEqualityComparer.Instance);
        var open = new Stack<object>([root]);
        while (open.TryPop(out object? next))
        {
            if (!seen.Add(next)) continue;
            foreach (object held in HeldBy(next)) open.Push(held);
        }

        return seen;
    }

    private static IEnumerable<object> HeldBy(object holder) => holder switch
    {
        Delegate { Target: { } target } => [target],
        string => [],
        ICollection items => items.OfType<object>(),
        _ when holder.GetType().Assembly.GetName().Name?.StartsWith("RemoteExec", StringComparison.Ordinal) == true =>
            TypesOf(holder.GetType()).SelectMany(type => type.GetFields(Fields)).Select(field => field.GetValue(holder)).OfType<object>(),
        _ => [],
    };

    private static IEnumerable<Type> TypesOf(Type type)
    {
        for (Type? next = type; next is not null; next = next.BaseType) yield return next;
    }
}
