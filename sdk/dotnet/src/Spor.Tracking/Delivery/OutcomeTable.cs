namespace Spor.Tracking;

/// <summary>The one place that decides what an answer means (rule 4 of sdk/conformance).</summary>
internal static class OutcomeTable
{
    public static Outcome Decide(int status, bool compressed) => status switch
    {
        202 => Outcome.Done,
        401 or 403 => Outcome.Stop,
        413 => Outcome.Halve,
        415 when compressed => Outcome.SendPlain,

        // No receiver answers these for a request of ours; something in between does, and it may go away.
        404 or 405 or 408 or 425 => Outcome.Retry,
        429 => Outcome.Retry,
        >= 400 and < 500 => Outcome.Drop,
        _ => Outcome.Retry,
    };
}
