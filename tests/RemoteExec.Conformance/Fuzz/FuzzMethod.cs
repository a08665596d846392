using Google.Protobuf;

namespace RemoteExec.Conformance;

/// <summary>One method of a family, with requests that a server takes: what mutants are made of.</summary>
/// <param name="Name">As it stands in the path of a call.</param>
/// <param name="IsStream">It takes several messages.</param>
internal sealed record FuzzMethod(string Family, string Name, bool IsStream, IReadOnlyList<IMessage> Seeds)
{
    public Google.Protobuf.Reflection.MessageDescriptor Input => Seeds[0].Descriptor;
}
