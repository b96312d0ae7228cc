using System;
using System.Globalization;
using System.Linq;
using System.Text.Json;
using BenchmarkDotNet.Running;
using Spor.Tracking.Bench;

// bench                  what Track costs its caller and what the sender sustains; a table, and the bounds of the README checked
// bench --json           the same as one line of JSON
// bench --dotnet-bench   Track under BenchmarkDotNet: longer and with statistics
if (args.Contains("--dotnet-bench"))
{
    BenchmarkRunner.Run<TrackBenchmark>();
    return 0;
}

// Three passes, the best counts: whatever else the machine does meanwhile only ever adds to it.
var caller = Enumerable.Range(0, 3).Select(_ => CallerCost.Measure(spoolDirectory: null)).Min();
var callerWithSpool = CallerCost.InSpool();
var sender = await SenderThroughput.MeasureAsync(spool: false);
var senderWithSpool = await SenderThroughput.MeasureAsync(spool: true);
if (args.Contains("--json"))
{
    Console.WriteLine(JsonSerializer.Serialize(new
    {
        trackNanoseconds = Math.Round(caller.Nanoseconds, 1),
        trackBytes = Math.Round(caller.Bytes, 2),
        trackNanosecondsWithSpool = Math.Round(callerWithSpool.Nanoseconds, 1),
        eventsPerSecond = Math.Round(sender),
        eventsPerSecondWithSpool = Math.Round(senderWithSpool),
    }));
}
else
{
    Print("Track, caller's thread", "ns", caller.Nanoseconds, "< 1000");
    Print("Track, allocated by the caller's thread", "B", caller.Bytes, "< 64");
    Print("Track with spool", "ns", callerWithSpool.Nanoseconds, "");
    Print("sender into a local receiver", "ev/s", sender, ">= 50000");
    Print("sender with spool", "ev/s", senderWithSpool, "");
}

var holds = caller.Nanoseconds < 1000 && caller.Bytes < 64 && sender >= 50_000;
if (!holds)
{
    Console.Error.WriteLine("A bound of the README does not hold on this machine.");
}

return holds ? 0 : 1;

static void Print(string what, string unit, double value, string bound) =>
    Console.WriteLine(string.Format(CultureInfo.InvariantCulture, "{0,-42} {1,12:N1} {2,-5} {3}", what, value, unit, bound));
