using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using Microsoft.AspNetCore.Http;

namespace Shop;

/// <summary>Carts in memory, found by a cookie of the shop's own: a cart needs no consent, tracking does.</summary>
internal sealed class Carts
{
    private const string CookieName = "cart";

    private readonly ConcurrentDictionary<string, ConcurrentQueue<CartLine>> carts = new(StringComparer.Ordinal);

    public ConcurrentQueue<CartLine> Of(HttpContext http)
    {
        if (http.Request.Cookies[CookieName] is not { Length: 32 } id)
        {
            id = Guid.NewGuid().ToString("N");
            http.Response.Cookies.Append(CookieName, id, new CookieOptions { HttpOnly = true, SameSite = SameSiteMode.Lax, IsEssential = true });
        }

        return carts.GetOrAdd(id, _ => new ConcurrentQueue<CartLine>());
    }

    /// <summary>Empties the cart.</summary>
    public IReadOnlyCollection<CartLine> Take(HttpContext http) =>
        http.Request.Cookies[CookieName] is { } id && carts.TryRemove(id, out var lines) ? lines : [];
}
