using System.CommandLine;
using NUnit.Framework;

namespace RemoteExec.Hosting.Tests;

/// <summary>A program with verbs, whose words were mistyped.</summary>
public sealed class CommandLineSlipsTests
{
    [TestCase("pot file", "'pot': rexec has no such verb. Did you mean 'put'? See rexec --help")]
    [TestCase("--servr x put file", "--servr: rexec put has no such option. Did you mean '--server'? See rexec put --help")]
    [TestCase("put --servr x file", "--servr: rexec put has no such option. Did you mean '--server'? See rexec put --help")]
    [TestCase("put --forse=yes file more", "--forse: rexec put has no such option. Did you mean '--force'? See rexec put --help")]
    [TestCase("put file more", "'more': rexec put takes options only, as --name VALUE; see rexec put --help")]
    public void A_slip_is_named_once_with_what_was_probably_meant(string line, string slip)
    {
        var parsed = Root().Parse(line.Split(' '));
        string verb = parsed.CommandResult.Command is RootCommand ? "rexec" : "rexec " + parsed.CommandResult.Command.Name;

        Assert.That(CommandLineSlips.In(parsed, verb).Single(), Is.EqualTo(slip));
    }

    [TestCase("put file")]
    [TestCase("--server x put -- --file")]
    public void A_line_without_a_slip_has_none(string line) =>
        Assert.That(CommandLineSlips.In(Root().Parse(line.Split(' ')), "rexec"), Is.Empty);

    private static RootCommand Root()
    {
        var put = new Command("put") { new Option<bool>("--force"), new Argument<string>("file") };
        return new RootCommand { new Option<string>("--server") { Recursive = true }, put };
    }
}
