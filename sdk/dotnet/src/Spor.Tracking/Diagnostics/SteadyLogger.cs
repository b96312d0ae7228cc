using System;
using System.Threading;
using Microsoft.Extensions.Logging;

namespace Spor.Tracking;

/// <summary>The host's logger, whose faults stay its own: a full log disk must not stop the delivery.</summary>
internal sealed class SteadyLogger(ILogger logger) : ILogger
{
    private int faults;

    /// <summary>Lines that could not be logged.</summary>
    public int Faults => Volatile.Read(ref faults);

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => logger.BeginScope(state);

    public bool IsEnabled(LogLevel logLevel) => logger.IsEnabled(logLevel);

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
#pragma warning disable CA1031 // There is nowhere left to tell of a fault of the log.
        try
        {
            logger.Log(logLevel, eventId, state, exception, formatter);
        }
        catch (Exception)
        {
            Interlocked.Increment(ref faults);
        }
#pragma warning restore CA1031
    }
}
