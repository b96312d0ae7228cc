using System;
using System.Collections.Generic;

namespace Spor.Tracking;

/// <summary>What came back for a request: the receiver's answer, somebody else's, or none.</summary>
internal sealed class Answer
{
    /// <summary>HTTP status; 0: no answer.</summary>
    public int Status { get; set; }

    /// <summary>The receiver's error code, where it gave one.</summary>
    public string? Code { get; set; }

    public string? Message { get; set; }

    /// <summary>The batch's receipt, which only the receiver gives.</summary>
    public string? ReceiptId { get; set; }

    public TimeSpan? RetryAfter { get; set; }

    public Exception? Exception { get; set; }

    /// <summary>Verdicts on single events.</summary>
    public List<Verdict> Rejected { get; } = [];

    /// <summary>Why one event was refused.</summary>
    internal sealed class Verdict
    {
        /// <summary>Position of the event in the batch; negative where the answer names none.</summary>
        public int Index { get; set; } = -1;

        public string? Code { get; set; }

        public string? Path { get; set; }

        public string? Message { get; set; }

        /// <summary>Whether the same event may be accepted later.</summary>
        public bool Retryable { get; set; }
    }
}
