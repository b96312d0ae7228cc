using System.Threading;
using System.Threading.Tasks;

namespace Spor.Tracking;

/// <summary>The Event Receiver at the other end.</summary>
internal interface IReceiver
{
    /// <summary>Posts a body. A missing answer is an answer too (status 0); throws only when cancelled.</summary>
    Task<Answer> PostAsync(byte[] body, bool compressed, CancellationToken cancellationToken);
}
