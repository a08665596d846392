using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace RemoteExec.Cli;

/// <summary>The help of the parser, then examples; at the top also how the program ends.</summary>
internal sealed class HelpPage(HelpAction inner) : SynchronousCommandLineAction
{
    // What a terminal has without being made wider.
    private const int Columns = 100;

    private const string ExitCodes = """

        Exit codes:
          0    done
          1    the remote command failed, or did not write all of its outputs, or its output was cut
          2    something about the command line or this machine
          3    not found: a blob, a path in a folder
          4    refused by the server
          5    the server cannot be reached, or something went wrong there
          70   a failure in rexec itself
          130  interrupted (Ctrl-C), 141 the reader of the output left, 143 terminated (SIGTERM)
        With run --propagate-exit the command's own exit code takes the place of 1; 127 is a program that does not exist.

        """;

    private static readonly Dictionary<string, string> Examples = new(StringComparer.Ordinal)
    {
        ["run"] = """
              rexec run -- uname -a
              rexec run -i src -o app -- gcc -o app main.c     # uploads src/, brings back app
              echo hello | rexec run tr a-z A-Z                # what is piped in is its standard input
              rexec run --json -o out.bin -- make out.bin | jq -r .action
            """,
        ["put"] = """
              rexec put notes.txt
              rexec put src/                                   # the whole folder, under one digest
            """,
        ["get"] = """
              rexec get DIGEST copy.txt
              rexec get DIGEST folder/                         # a folder comes back as a folder
              rexec get DIGEST - | wc -c
            """,
        ["cat"] = """
              rexec cat DIGEST
              rexec cat DIGEST lib/version.h                   # one file of a folder
            """,
        ["ls"] = """
              rexec ls DIGEST
              rexec ls DIGEST lib --recursive --format csv
            """,
        ["action"] = """
              rexec action DIGEST
              rexec action 1c87b672                            # the first letters, of a recent action
            """,
        ["cancel"] = """
              rexec cancel operations/9e585d1680ef508b201546b4567ef660
            """,
        ["status"] = """
              rexec status
              rexec status --json | jq .queued
            """,
        ["completion"] = """
              rexec completion bash > /etc/bash_completion.d/rexec
              rexec completion zsh > "${fpath[1]}/_rexec"
              rexec completion fish > ~/.config/fish/completions/rexec.fish
            """,
    };

    private static readonly string OfRoot = """
          rexec run -- uname -a
          rexec put src/
          rexec get DIGEST folder/
          rexec help run
        """;

    /// <summary>Who asks for help need not know yet what else to write.</summary>
    public override bool ClearsParseErrors => true;

    public static void AddTo(RootCommand root)
    {
        var option = root.Options.OfType<HelpOption>().Single();
        var page = (HelpAction)option.Action!; // the option comes with it
        page.MaxWidth = Columns;
        option.Action = new HelpPage(page);
    }

    public override int Invoke(ParseResult parseResult)
    {
        int code = inner.Invoke(parseResult);
        var command = parseResult.CommandResult.Command;
        var output = parseResult.InvocationConfiguration.Output;
        if (command is RootCommand) Write(output, OfRoot, ExitCodes);
        else if (Examples.TryGetValue(command.Name, out string? examples)) Write(output, examples, "");
        return code;
    }

    private static void Write(TextWriter output, string examples, string more)
    {
        output.Write($"Examples:\n{examples}\n{more}");
        output.Flush();
    }
}
