using System;
using System.Net;
using System.Net.Http;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Mvc.Testing;

namespace Spor.Tracking.EndToEnd;

/// <summary>The sample shop in front of the real stack.</summary>
public sealed class SampleShopTests(SporServers stack)
{
    [Fact]
    public async Task A_browsers_search_and_a_backends_order_belong_together()
    {
        var tenant = await stack.CreateTenantAsync();
        await using var shop = new WebApplicationFactory<Shop.SampleShop>().WithWebHostBuilder(host =>
        {
            host.UseSetting("Spor:Endpoint", stack.Ingest.AbsoluteUri);
            host.UseSetting("Spor:InstrumentationKey", tenant.Key);
            host.UseSetting("Logging:LogLevel:Default", "Warning");
        });
        using var browser = shop.CreateClient();

        // What the page's script sends along: its ids, and the search its own SDK has tracked.
        browser.DefaultRequestHeaders.Add("X-Spor-Anonymous-Id", "visitor-1");
        browser.DefaultRequestHeaders.Add("X-Spor-Session-Id", "visit-1");
        browser.DefaultRequestHeaders.Add("X-Spor-Search-Id", "search-1");
        browser.DefaultRequestHeaders.Referrer = new Uri("https://shop.example/search?q=secret");
        await PostAsync(browser, "/api/cart", new { productId = "SKU-1", quantity = 2 });
        browser.DefaultRequestHeaders.Remove("X-Spor-Search-Id");
        await PostAsync(browser, "/api/cart", new { productId = "SKU-5", quantity = 1 });
        var order = await PostAsync(browser, "/api/checkout", new { });

        await tenant.ExpectRowAsync(
            """
            select order_id, total::varchar, anonymous_id, session_id, lines[1].search_id, lines[2].search_id, context_url, context_channel
            from events where type = 'OrderCreated'
            """,
            (string)order["orderId"]!, "1928.6500", "visitor-1", "visit-1", "search-1", "null", "https://shop.example/search", "web");
        await tenant.ExpectRowAsync("select count(*)::varchar, count(search_id)::varchar from cart_adds", "2", "1");
    }

    [Fact]
    public async Task The_same_by_the_SDKs_cookies_in_a_real_browser_until_the_visitor_declines()
    {
        Assert.SkipUnless(Repository.BrowserSdk is not null, "The JavaScript SDK is not built: run \"npm run build -w sdk/js\" in the repository's root.");
        var tenant = await stack.CreateTenantAsync();
        var browserKey = await stack.SporAsync("keys", "create", "--tenant", tenant.Id, "--segment", "web", "--kind", "browser", "--json");
        await using var shop = new WebApplicationFactory<Shop.SampleShop>().WithWebHostBuilder(host =>
        {
            host.UseSetting("Spor:Endpoint", stack.Ingest.AbsoluteUri);
            host.UseSetting("Spor:InstrumentationKey", tenant.Key);
            host.UseSetting("Browser:InstrumentationKey", (string)browserKey["key"]!);
            host.UseSetting("Logging:LogLevel:Default", "Warning");
        });
        shop.UseKestrel(server => server.Listen(IPAddress.Loopback, 0));
        shop.StartServer();
        var visit = await SporServers.NodeAsync(Repository.BrowserScript, shop.ClientOptions.BaseAddress.AbsoluteUri, Repository.BrowserSdk);
        Assert.SkipWhen(visit["unavailable"] is not null, $"{visit["unavailable"]}");
        Assert.StartsWith("Order O-", (string)visit["said"]!, StringComparison.Ordinal);
        Assert.Equal("[]", visit["idHeaders"]!.ToJsonString());
        Assert.Equal("""["spor_aid","spor_consent","spor_sid"]""", visit["cookies"]!["agreed"]!.ToJsonString());
        Assert.Equal("[]", visit["cookies"]!["declined"]!.ToJsonString());

        // Dropped: the cart add and the order after that.
        using var backend = shop.CreateClient();
        var statistics = await backend.GetFromJsonAsync<JsonObject>("/api/tracking", TestContext.Current.CancellationToken);
        Assert.Equal("""{"NoConsent":2}""", statistics!["dropped"]!.ToJsonString());
        await tenant.ExpectRowAsync(
            """
            select count(*)::varchar
            from searches s
            join product_clicks p on p.search_id = s.search_id and p.anonymous_id = s.anonymous_id
            join cart_adds c on c.search_id = s.search_id and c.anonymous_id = s.anonymous_id and c.product_id = p.product_id
            join events o on o.type = 'OrderCreated' and o.lines[1].search_id = s.search_id and o.anonymous_id = s.anonymous_id
            where s.phrase = 'running' and o.session_id = s.session_id and o.key_id <> s.key_id
            """,
            "1");
    }

    private static async Task<JsonObject> PostAsync(HttpClient browser, string path, object body)
    {
        using var response = await browser.PostAsJsonAsync(path, body, TestContext.Current.CancellationToken);
        var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(response.IsSuccessStatusCode, text);
        return JsonNode.Parse(text)!.AsObject();
    }
}
