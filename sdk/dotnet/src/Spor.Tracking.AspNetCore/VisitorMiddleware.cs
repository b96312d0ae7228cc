using System.Threading.Tasks;
using Microsoft.AspNetCore.Http;

namespace Spor.Tracking.AspNetCore;

/// <summary>Reads the visitor once per request, before the shop's own code runs.</summary>
internal sealed class VisitorMiddleware(RequestDelegate next, VisitorReader reader, RequestVisitor requestVisitor)
{
    public async Task InvokeAsync(HttpContext http)
    {
        var visitor = reader.Read(http);
        http.Features.Set(visitor);
        var holder = requestVisitor.Begin(visitor);
        try
        {
            await next(http).ConfigureAwait(false);
        }
        finally
        {
            holder.End();
        }
    }
}
