using System.Threading;

namespace Spor.Tracking.AspNetCore;

/// <summary>
/// The visitor of the current request. Taken back when the request ends, so that work started in it and going on for longer
/// does not track under a visitor long gone.
/// </summary>
internal sealed class RequestVisitor : IVisitorAccessor
{
    private readonly AsyncLocal<Holder?> current = new();

    public Visitor? Visitor => current.Value?.Visitor;

    public Holder Begin(Visitor visitor) => current.Value = new Holder(visitor);

    /// <summary>Shared by everything that runs on behalf of one request.</summary>
    internal sealed class Holder(Visitor visitor)
    {
        private volatile Visitor? held = visitor;

        public Visitor? Visitor => held;

        public void End() => held = null;
    }
}
