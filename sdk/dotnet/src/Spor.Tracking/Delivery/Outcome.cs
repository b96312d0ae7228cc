namespace Spor.Tracking;

/// <summary>What an answer means for the events of its request.</summary>
internal enum Outcome
{
    /// <summary>They are done; refused ones among them are dropped with their verdicts.</summary>
    Done,

    /// <summary>They are dropped: sending them again cannot help.</summary>
    Drop,

    /// <summary>They stay and are sent again after a delay.</summary>
    Retry,

    /// <summary>The same, in a smaller request: nobody has answered, or another than the receiver has.</summary>
    Silence,

    /// <summary>They stay and are sent again in two requests; a single one is dropped.</summary>
    Halve,

    /// <summary>They stay and are sent again at once, without compression.</summary>
    SendPlain,

    /// <summary>They stay, and nothing is sent any more.</summary>
    Stop,
}
