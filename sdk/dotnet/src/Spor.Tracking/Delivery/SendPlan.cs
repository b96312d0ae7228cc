namespace Spor.Tracking;

/// <summary>What the sender does next.</summary>
internal enum SendStep
{
    /// <summary>Nothing, until something changes.</summary>
    Idle,

    /// <summary>It sends the oldest events.</summary>
    Send,

    /// <summary>It ends.</summary>
    End,
}

/// <summary>All that the decision what to do next depends on.</summary>
internal struct SendView
{
    /// <summary>No event waits.</summary>
    public bool Empty { get; set; }

    /// <summary>A whole batch waits, by count or bytes.</summary>
    public bool BatchWaits { get; set; }

    /// <summary>The flush interval has passed.</summary>
    public bool Due { get; set; }

    /// <summary>Sending has begun and goes on until the queue is empty.</summary>
    public bool Begun { get; set; }

    /// <summary>A flush or the close has been asked for and not yet been tried.</summary>
    public bool Asked { get; set; }

    /// <summary>The last request failed.</summary>
    public bool Failed { get; set; }

    /// <summary>The delay after a failure is still running.</summary>
    public bool Delayed { get; set; }

    /// <summary>The delay is one the receiver asked for.</summary>
    public bool Told { get; set; }

    /// <summary>The receiver does not accept the key.</summary>
    public bool Stopped { get; set; }

    /// <summary>The client is being closed.</summary>
    public bool Closing { get; set; }

    /// <summary>The deadline of the close has passed.</summary>
    public bool Aborted { get; set; }
}

/// <summary>Decides what the sender does next; the rules are those of sdk/conformance.</summary>
internal static class SendPlan
{
    public static SendStep Decide(in SendView view)
    {
        if (view.Aborted)
        {
            return SendStep.End;
        }

        var atRest = view.Closing ? SendStep.End : SendStep.Idle;
        if (view.Stopped || view.Empty)
        {
            return atRest;
        }

        // An explicit wish does not wait out a backoff, but it keeps a promise made to the receiver.
        if (view.Delayed)
        {
            return view.Asked && !view.Told ? SendStep.Send : atRest;
        }

        if (view.Closing)
        {
            return view.Failed && !view.Asked ? SendStep.End : SendStep.Send;
        }

        return view.BatchWaits || view.Due || view.Begun || view.Asked ? SendStep.Send : SendStep.Idle;
    }
}
