namespace Spor.Tracking;

/// <summary>
/// The one place that decides what an answer means (rule 4 of sdk/conformance). Only an answer with a code or a receipt of the
/// receiver is its word; firewalls, proxies and sign-in pages answer with any status, and say nothing about the events.
/// </summary>
internal static class OutcomeTable
{
    public static Outcome Decide(int status, string? code, string? receiptId, bool compressed)
    {
        if (status is >= 200 and < 300 && !string.IsNullOrEmpty(receiptId))
        {
            return Outcome.Done;
        }

        if (status > 428 && !string.IsNullOrEmpty(code))
        {
            return Outcome.Retry;
        }

        if (status < 400 || !FinalCodes.Contains(code))
        {
            return Outcome.Silence;
        }

        return status switch
        {
            401 or 403 => Outcome.Stop,
            413 => Outcome.Halve,
            415 when compressed => Outcome.SendPlain,
            _ => Outcome.Drop,
        };
    }
}
