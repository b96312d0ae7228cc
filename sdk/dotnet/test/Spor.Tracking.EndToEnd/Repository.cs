using System.IO;
using System.Runtime.CompilerServices;

namespace Spor.Tracking.EndToEnd;

/// <summary>Where things lie in the repository.</summary>
internal static class Repository
{
    public static string Root { get; } = Path.GetFullPath(Path.Combine(Here(), "../../../.."));

    /// <summary>The Node that the repository pins; null before <c>npm ci</c>.</summary>
    public static string? Node
    {
        get
        {
            var node = Path.Combine(Root, "node_modules/node/bin/node");
            return File.Exists(node) ? node : null;
        }
    }

    public static string StackScript => Path.Combine(Here(), "stack.ts");

    public static string BrowserScript => Path.Combine(Here(), "browser.ts");

    /// <summary>The JavaScript SDK as <c>npm run build -w sdk/js</c> writes it; null before that.</summary>
    public static string? BrowserSdk
    {
        get
        {
            var script = Path.Combine(Root, "sdk/js/dist/spor.global.js");
            return File.Exists(script) ? script : null;
        }
    }

    public static string Spor => Path.Combine(Root, "cli/spor.mjs");

    private static string Here([CallerFilePath] string file = "") => Path.GetDirectoryName(file)!;
}
