using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.Loader;
using RemoteExec.Core;

namespace RemoteExec.Benchmarks;

/// <summary>
/// <c>Digest.Of(DigestFunction.Blake3, data)</c> of any build of RemoteExec.Core, called without reflection in between: its types are
/// another build's, so a few instructions are written here that name them. Both builds are called in the same way.
/// </summary>
internal static class SmallHashes
{
    public static SmallHash OfBaseline()
    {
        var context = new AssemblyLoadContext("baseline");
        return Of(context.LoadFromAssemblyPath(Path.Combine(Baseline.Root, "out/bin/RemoteExec.Core.dll")));
    }

    public static SmallHash Of(Assembly core)
    {
        var function = core.GetType("RemoteExec.Core.DigestFunction", throwOnError: true)!;
        var of = core.GetType("RemoteExec.Core.Digest", throwOnError: true)!.GetMethod("Of", [function, typeof(ReadOnlySpan<byte>)])
            ?? throw new MissingMethodException("RemoteExec.Core.Digest", "Of");
        int blake3 = Convert.ToInt32(Enum.Parse(function, nameof(DigestFunction.Blake3)), System.Globalization.CultureInfo.InvariantCulture);

        var method = new DynamicMethod("hash", typeof(void), [typeof(ReadOnlySpan<byte>)], core.ManifestModule);
        var code = method.GetILGenerator();
        code.Emit(OpCodes.Ldc_I4, blake3);
        code.Emit(OpCodes.Ldarg_0);
        code.Emit(OpCodes.Call, of);
        code.Emit(OpCodes.Pop);
        code.Emit(OpCodes.Ret);
        return method.CreateDelegate<SmallHash>();
    }
}
