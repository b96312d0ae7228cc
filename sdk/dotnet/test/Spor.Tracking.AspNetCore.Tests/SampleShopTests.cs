using System.Linq;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;

namespace Spor.Tracking.AspNetCore.Tests;

/// <summary>The sample shop, so that what integrators copy works.</summary>
public sealed class SampleShopTests
{
    [Fact]
    public async Task From_search_to_order_everything_belongs_together()
    {
        using var receiver = new RecordingReceiver();
        await using (var shop = new WebApplicationFactory<Shop.SampleShop>().WithWebHostBuilder(host =>
        {
            host.UseSetting("Spor:Endpoint", "https://events.shop.example");
            host.UseSetting("Spor:InstrumentationKey", "ik_test");
            host.UseSetting("Logging:LogLevel:Default", "Warning");
            host.ConfigureTestServices(services => services.AddHttpClient("Spor.Tracking").ConfigurePrimaryHttpMessageHandler(() => receiver));
        }))
        {
            using var browser = shop.CreateClient();
            browser.DefaultRequestHeaders.Add("X-Spor-Anonymous-Id", "visitor");
            browser.DefaultRequestHeaders.Add("X-Spor-Session-Id", "visit");
            Assert.Contains("Sample shop", await browser.GetStringAsync("/", TestContext.Current.CancellationToken), System.StringComparison.Ordinal);
            Assert.Equal("Healthy", await browser.GetStringAsync("/healthz", TestContext.Current.CancellationToken));
            var search = await browser.GetFromJsonAsync<JsonObject>("/api/search?q=running", TestContext.Current.CancellationToken);
            browser.DefaultRequestHeaders.Add("X-Spor-Search-Id", (string)search!["searchId"]!);
            (await browser.PostAsJsonAsync("/api/cart", new { productId = "SKU-2", quantity = 3 }, TestContext.Current.CancellationToken)).EnsureSuccessStatusCode();
            browser.DefaultRequestHeaders.Remove("X-Spor-Search-Id");
            (await browser.PostAsJsonAsync("/api/checkout", new { }, TestContext.Current.CancellationToken)).EnsureSuccessStatusCode();
            Assert.Equal(System.Net.HttpStatusCode.BadRequest, (await browser.PostAsJsonAsync("/api/checkout", new { }, TestContext.Current.CancellationToken)).StatusCode);
        }

        Assert.Equal(["Search", "ProductAddedToCart", "OrderCreated"], receiver.Events.Select(item => (string?)item["type"]));
        Assert.All(receiver.Events, item => Assert.Equal(("visitor", "visit"), ((string?)item["anonymousId"], (string?)item["sessionId"])));
        var searchId = (string?)receiver.Single("Search")["searchId"];
        var order = receiver.Single("OrderCreated");
        Assert.Equal(searchId, (string?)receiver.Single("ProductAddedToCart")["searchId"]);
        Assert.Equal(searchId, (string?)order["lines"]![0]!["searchId"]);
        Assert.Equal(2287.50m, (decimal)order["total"]!);
    }
}
