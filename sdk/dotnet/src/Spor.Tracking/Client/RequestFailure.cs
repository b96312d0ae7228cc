using System;

namespace Spor.Tracking;

/// <summary>What is told of a request that failed as a whole.</summary>
public sealed class RequestFailure
{
    internal RequestFailure(int status, string code, string message, TimeSpan? retryIn, bool stopped, Exception? exception)
    {
        Status = status;
        Code = code;
        Message = message;
        RetryIn = retryIn;
        Stopped = stopped;
        Exception = exception;
    }

    /// <summary>HTTP status, or 0 where there was no answer.</summary>
    public int Status { get; }

    /// <summary>
    /// The receiver's stable error code; <c>no_answer</c> without an answer, <c>answer_unknown</c> where something else answered.
    /// </summary>
    public string Code { get; }

    /// <summary>What is wrong, in English.</summary>
    public string Message { get; }

    /// <summary>When the events will be sent again; null where they will not.</summary>
    public TimeSpan? RetryIn { get; }

    /// <summary>Whether the client has stopped sending for good.</summary>
    public bool Stopped { get; }

    /// <summary>What kept the answer away, where there was none.</summary>
    public Exception? Exception { get; }
}
