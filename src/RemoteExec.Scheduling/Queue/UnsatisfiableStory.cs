using RemoteExec.Core;

namespace RemoteExec.Scheduling;

/// <summary>
/// Tells a client why nobody will run its action: what it asked, the nearest that is offered, and what workers
/// offer (UX 5.7). The first sentence is short because Bazel prints one line.
/// </summary>
internal static class UnsatisfiableStory
{
    // Enough to see a pattern; a farm has more classes than a terminal has lines.
    private const int OffersShownMax = 5;
    private const int NamesShownMax = 20;

    private const string ContainerImage = "container-image";

    // Clients and workers call their properties what they like.
    private const int MessageBytesMax = 4096;

    public static ExecutionOutcome Tell(ExecutionRequest request, Platform asked, IReadOnlyCollection<WorkerClass> classes, TimeSpan waited)
    {
        string who = request.Origin.TargetId.Length > 0 ? $" ({request.Origin.TargetId})" : "";
        if (classes.Count == 0)
        {
            // Nothing is wrong with the request: asking again may help.
            return new ExecutionOutcome
            {
                Code = OutcomeCode.Unavailable,
                Blame = Blame.Client,
                Message = $"REX2108: waited {waited.TotalSeconds:0} s for a worker{who}, but none is connected. "
                    + "Start one: rexec-worker --coordinator HOST:PORT.",
            };
        }

        string offers = string.Join("; ", classes.Take(OffersShownMax).Select(Describe))
            + (classes.Count > OffersShownMax ? $"; and {classes.Count - OffersShownMax} other kinds" : "");
        return new ExecutionOutcome
        {
            Code = OutcomeCode.FailedPrecondition,
            Blame = Blame.Client,
            Message = PrintableText.Escape($"REX2107: no worker matches this action{who}: {Complaint(asked, classes)}. Workers offer: {offers}. "
                + Advice(request, asked, classes), MessageBytesMax),
        };
    }

    private static string Complaint(Platform asked, IReadOnlyCollection<WorkerClass> classes)
    {
        foreach (var property in asked.Properties)
        {
            if (classes.Any(@class => PlatformMatching.Offers(@class.Offer, property))) continue;

            string wanted = Shorten(property.ToString());
            var values = classes.SelectMany(@class => @class.Offer.ValuesOf(property.Name)).Distinct().ToArray();
            if (values.Length > 0)
            {
                string nearest = NearestName.Find(property.Value, values) ?? values[0];
                return $"it asks for {wanted}, the nearest that is offered is {property.Name}={nearest}";
            }

            var names = classes.SelectMany(@class => @class.Offer.Properties).Select(offered => offered.Name).Distinct().ToArray();
            string known = $"known are {string.Join(", ", names.Order(StringComparer.Ordinal).Take(NamesShownMax))}";
            return NearestName.Find(property.Name, names) is { } name
                ? $"it asks for {wanted}, which no worker knows; did you mean {name}? ({known})"
                : $"it asks for {wanted}, which no worker offers ({known})";
        }

        return $"each property of {Shorten(asked.ToString())} is offered by some worker, but no worker offers them all";
    }

    /// <summary>In words for whoever asked: each client has its own place for these properties.</summary>
    private static string Advice(ExecutionRequest request, Platform asked, IReadOnlyCollection<WorkerClass> classes)
    {
        // Several clients send it with every action, whatever it is built with.
        var image = asked.Properties.FirstOrDefault(property => property.Name == ContainerImage);
        if (image.Name is not null && !classes.Any(@class => PlatformMatching.Offers(@class.Offer, image)))
        {
            return $"Actions run on the workers' own system here, in no image: leave {ContainerImage} out, or start the server with "
                + $"--ignore-property {ContainerImage}, or a worker that has what the image has with --property {ContainerImage}=*.";
        }

        string where = request.Origin.ToolName.StartsWith("bazel", StringComparison.OrdinalIgnoreCase)
            ? "the action's exec_properties (or --remote_default_exec_properties)"
            : "the platform properties that your client sends";
        return $"Change {where}, or start a worker that offers them (rexec-worker --property NAME=VALUE).";
    }

    // A client may send kilobytes; the line is for a person.
    private static string Shorten(string text) => text.Length <= 120 ? text : text[..120] + "…";

    private static string Describe(WorkerClass @class) => $"{@class.Offer} ({@class.Members.Count} worker{(@class.Members.Count == 1 ? "" : "s")})";
}
