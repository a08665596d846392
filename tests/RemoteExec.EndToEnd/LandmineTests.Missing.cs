using NUnit.Framework;
using static RemoteExec.Conformance.RawMessage;

namespace RemoteExec.EndToEnd;

/// <content>What is missing, in the one form that makes clients upload it (REAPI 5.6: 8).</content>
public sealed partial class LandmineTests
{
    private const string PreconditionFailure = "type.googleapis.com/google.rpc.PreconditionFailure";

    // A list of these does not fit into the 8 KiB of headers that grpc-java takes.
    private const int ManyBlobs = 300;

    // remote_execution.proto, DigestFunction.
    private const int UnnamedFunction = 0, Blake3Function = 9;

    [TestCase(UnnamedFunction, 3)] // REAPI 5.6: 8, E2; few: as the status of the call
    [TestCase(UnnamedFunction, ManyBlobs)] // many: in the response
    [TestCase(Blake3Function, 3)] // REAPI N1: a function that is named in paths
    [TestCase(Blake3Function, ManyBlobs)]
    public async Task What_Bazel_reads_as_missing_it_uploads_and_the_action_runs(int function, int inputs)
    {
        var blobs = Enumerable.Range(0, inputs).Select(_ => Peer.Random(50)).ToDictionary(SubjectOf);
        byte[] root = Of([.. blobs.Select((blob, i) => (1, (object?)Of((1, $"f{i:d4}"), (2, DigestOf(blob.Value)))))]);
        byte[] command = Of((1, "/bin/sh"), (1, "-c"), (1, $"cat f* | wc -c > out # {Guid.NewGuid()}"), (7, "out"));
        byte[] action = Of((1, DigestOf(command)), (2, DigestOf(root)));
        blobs.Add(SubjectOf(command), command);
        await UploadAsync(root, action);
        byte[] request = Of((6, DigestOf(action)), (9, function == UnnamedFunction ? null : function));

        var refused = await RefusedAsync(request);
        Assert.That(BazelUploadsAgain(refused), "or it fails the build");
        string[] subjects = [.. SubjectsOf(refused)];
        Assert.That(subjects.Except(blobs.Keys), Is.Empty, "by the exact name");
        Assert.That(blobs.Keys.Except(subjects), Is.Empty, "all of them");
        Assert.That(subjects, Has.Length.EqualTo(blobs.Count), "each once");
        await UploadAsync([.. subjects.Select(subject => blobs[subject])]);

        var result = await RunAsync(request);
        Assert.That(result.Status, Is.EqualTo(RawStatus.Ok), result.Message);
        Assert.That(result.Outputs["out"].SizeBytes, Is.Positive);
        return;

        byte[] DigestOf(byte[] blob) => function == UnnamedFunction ? Digest(blob) : Blake3(blob);

        // REAPI E2: blobs/{function/}{hash}/{size}
        string SubjectOf(byte[] blob)
        {
            var digest = RawBlob.From(RawFields.Parse(DigestOf(blob)));
            return $"blobs/{(function == UnnamedFunction ? "" : "blake3/")}{digest.Hash}/{digest.SizeBytes}";
        }

        async Task UploadAsync(params byte[][] contents)
        {
            var requests = contents.Select(content => (2, (object?)Of((1, DigestOf(content)), (2, content))));
            var answer = (await Executor.CallAsync(UpdateBlobs, Of([.. requests, (5, function == UnnamedFunction ? null : function)]))).Single();
            Assert.That(answer.Messages(1).Select(each => each.Message(2).Number(1)), Is.All.Zero);
        }

        // As Bazel: the status of the call, from its trailer, or that of the response, which it throws as if it were one.
        async Task<RawFields> RefusedAsync(byte[] asked)
        {
            var answer = await Executor.AnswerAsync(ExecuteMethod, asked);
            bool isListShort = inputs < ManyBlobs;
            Assert.That(answer.Status, Is.EqualTo(isListShort ? RawStatus.FailedPrecondition : RawStatus.Ok), answer.Detail);
            if (isListShort) return answer.Details ?? throw new AssertionException("grpc-status-details-bin is not there");

            Assert.That(answer.Details, Is.Null);
            return RawExecutor.Messages(answer.Answer).Single().Message(5).Message(2).Message(3);
        }

        async Task<RawResult> RunAsync(byte[] asked) => await Executor.RunAsync(asked, (Metadata, Bazel("4.2.3")));
    }

    /// <summary>Bazel's own rule (ExecuteRetrier.shouldRetry), from 2 to 9: of google.rpc.Status only this makes it upload and ask again.</summary>
    private static bool BazelUploadsAgain(RawFields status)
    {
        var details = status.Messages(3).ToArray();
        return status.Number(1) == (long)RawStatus.FailedPrecondition
            && details.Length > 0
            && details.All(detail => detail.Text(1) == PreconditionFailure && detail.Message(2).Messages(1).Any() && detail.Message(2).Messages(1).All(violation => violation.Text(1) == "MISSING"));
    }

    private static IEnumerable<string> SubjectsOf(RawFields status) =>
        status.Messages(3).SelectMany(detail => detail.Message(2).Messages(1)).Select(violation => violation.Text(2));
}
