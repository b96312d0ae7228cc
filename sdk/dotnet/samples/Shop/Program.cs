using System;
using System.Linq;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Shop;
using Spor.Tracking;
using Spor.Tracking.AspNetCore;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddSporTracking(builder.Configuration.GetSection("Spor"));
builder.Services.AddSporVisitor(visitor => visitor.Channel = "web");
builder.Services.AddHealthChecks().AddSporTracking();
builder.Services.AddSingleton<Carts>();

var app = builder.Build();
app.UseDefaultFiles();
app.UseStaticFiles();
app.UseSporVisitor();
app.MapHealthChecks("/healthz");

// What the page's script needs to know. A browser key is public.
app.MapGet("/api/settings", (IConfiguration settings) => Results.Ok(new
{
    endpoint = settings["Spor:Endpoint"],
    instrumentationKey = settings["Browser:InstrumentationKey"],
}));

// The page's script tracks searches and clicks itself and sends the search's id along with what follows from it; a shop whose
// pages are rendered here would track the search here and write the id into its links and forms.
app.MapGet("/api/search", (HttpContext http, TrackingClient tracking, string q) =>
{
    var found = Catalogue.Search(q);
    var searchId = http.GetSporSearchId();
    if (searchId is null)
    {
        searchId = TrackingId.NewId();
        tracking.Track(new Search(q, found.Count) { SearchId = searchId, ResultIds = [.. found.Select(product => product.Id)] });
    }

    return Results.Ok(new { searchId, products = found });
});

app.MapPost("/api/cart", (HttpContext http, TrackingClient tracking, Carts carts, CartRequest request) =>
{
    if (Catalogue.Find(request.ProductId) is not { } product || request.Quantity < 1)
    {
        return Results.BadRequest();
    }

    // The search that led here stays with the line until the order.
    var line = new CartLine(product, request.Quantity, http.GetSporSearchId());
    var cart = carts.Of(http);
    cart.Enqueue(line);
    tracking.Track(new ProductAddedToCart(product.Id, line.Quantity)
    {
        UnitPrice = product.Price,
        Currency = Catalogue.Currency,
        SearchId = line.SearchId,
    });
    return Results.Ok(new { lines = cart.Count });
});

app.MapPost("/api/checkout", async (HttpContext http, TrackingClient tracking, Carts carts) =>
{
    var lines = carts.Take(http);
    if (lines.Count == 0)
    {
        return Results.BadRequest();
    }

    const decimal Shipping = 39m;
    var goods = lines.Sum(line => line.Product.Price * line.Quantity);
    var order = new OrderCreated(
        $"O-{Guid.NewGuid():N}",
        Catalogue.Currency,
        goods + Shipping,
        [.. lines.Select(line => new OrderLine(line.Product.Id, line.Quantity, line.Product.Price) { SearchId = line.SearchId })])
    {
        Shipping = Shipping,
        Tax = goods * 0.2m,
    };
    tracking.Track(order);

    // Worth a few milliseconds for an order: with a spool it is on disk before the customer sees the thank-you page.
    await tracking.PersistAsync(http.RequestAborted);
    return Results.Ok(new { order.OrderId, order.Total });
});

app.MapGet("/api/tracking", (TrackingClient tracking) => Results.Ok(tracking.Statistics));

await app.RunAsync();

namespace Shop
{
    internal sealed record CartRequest(string ProductId, int Quantity);

    internal sealed record CartLine(Product Product, int Quantity, string? SearchId);

    /// <summary>Names this assembly to tests that run the shop in their process.</summary>
    public sealed class SampleShop;
}
