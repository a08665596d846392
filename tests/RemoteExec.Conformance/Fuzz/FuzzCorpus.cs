using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;

namespace RemoteExec.Conformance;

/// <summary>The mutants of a seed, each by its number: any one can be made again alone, for as long as methods, their seeds and the mutators stay. What is to stay is kept as bytes (<see cref="KeptCorpus"/>).</summary>
internal static class FuzzCorpus
{
    public static FuzzCase Make(IReadOnlyList<FuzzMethod> methods, int seed, int number)
    {
        var random = new Random(unchecked((seed * 1_000_003) + number));
        var method = methods[number % methods.Count];
        // What an action refers to is wrong as often as the request that names it.
        if (method.Name.EndsWith("/Execute", StringComparison.Ordinal) && random.Next(3) > 0) return OfAction(method, random);

        var messages = new List<byte[]>();
        int count = method.IsStream ? random.Next(0, 4) : 1;
        for (int i = 0; i < count; i++) messages.Add(Message(method.Seeds[method.IsStream ? random.Next(method.Seeds.Count) : random.Next(method.Seeds.Count)], random));

        bool isFramed = random.Next(12) > 0;
        byte[] body = [.. messages.SelectMany(message => isFramed ? RawClient.Frame(message) : new WireMutator(random).Frame(message))];
        // A unary call has one message.
        return new FuzzCase(method, body, isFramed, []);
    }

    private static byte[] Message(IMessage seed, Random random)
    {
        byte[] mutant = new MessageMutator(random).Mutate(seed).ToByteArray();
        return random.Next(5) == 0 ? new WireMutator(random).Mutate(mutant) : mutant;
    }

    private static FuzzCase OfAction(FuzzMethod method, Random random)
    {
        var action = FuzzMethods.Action.Clone();
        var blobs = new List<byte[]>();
        switch (random.Next(3))
        {
            case 0:
                blobs.Add(Message(FuzzMethods.Root, random));
                action.InputRootDigest = Blob.Of(blobs[0]).Digest;
                break;
            case 1:
                blobs.Add(Message(FuzzMethods.Command, random));
                action.CommandDigest = Blob.Of(blobs[0]).Digest;
                break;
        }

        blobs.Add(blobs.Count == 0 ? Message(action, random) : action.ToByteArray());
        var request = new ExecuteRequest { ActionDigest = Blob.Of(blobs[^1]).Digest };
        return new FuzzCase(method, RawClient.Frame(request.ToByteArray()), IsFramed: true, blobs);
    }
}
