using System;
using System.Collections.Concurrent;
using System.Linq;
using Microsoft.Extensions.Logging;

namespace Spor.Tracking.Tests.Support;

/// <summary>One line of the log.</summary>
internal sealed record LogLine(LogLevel Level, EventId Id, string Category, string Text, Exception? Exception);

/// <summary>Keeps what is logged.</summary>
internal sealed class CollectedLogs : ILoggerFactory, ILoggerProvider
{
    public ConcurrentQueue<LogLine> Lines { get; } = [];

    /// <summary>Lines of the client with this id.</summary>
    public int Count(int id) => Lines.Count(line => line.Id.Id == id && line.Category == typeof(TrackingClient).FullName);

    public ILogger CreateLogger(string categoryName) => new Logger(categoryName, Lines);

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    public void Dispose()
    {
    }

    private sealed class Logger(string category, ConcurrentQueue<LogLine> lines) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            lines.Enqueue(new LogLine(logLevel, eventId, category, formatter(state, exception), exception));
    }
}
