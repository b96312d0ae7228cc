using System;
using System.Collections.Generic;
using System.Linq;
using System.Net.Http;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Spor.Tracking.AspNetCore.Tests;

public sealed class VisitorTests : IAsyncDisposable
{
    private readonly RecordingReceiver receiver = new();
    private readonly List<DropReason> dropped = [];
    private WebApplication? app;

    public async ValueTask DisposeAsync()
    {
        if (app is not null)
        {
            await app.DisposeAsync();
        }

        receiver.Dispose();
    }

    [Fact]
    public async Task Ids_come_from_cookies_when_the_consent_cookie_agrees()
    {
        var sent = await TrackAsync(Cookies("spor_aid=visitor; spor_sid=visit; spor_consent=analytics.personalization"));
        Assert.Equal(("visitor", "visit"), ((string?)sent!["anonymousId"], (string?)sent["sessionId"]));
        Assert.Equal("""{"analytics":true,"personalization":true}""", sent["consent"]!.ToJsonString());
    }

    [Fact]
    public async Task Ids_in_cookies_alone_say_that_the_visitor_agreed_as_the_SDK_writes_them_only_then()
    {
        var sent = await TrackAsync(Cookies("cart=1; spor_aid=visitor; spor_sid=visit"));
        Assert.Equal(("visitor", "visit"), ((string?)sent!["anonymousId"], (string?)sent["sessionId"]));
        Assert.True((bool)sent["consent"]!["analytics"]!);
    }

    [Theory]
    [InlineData("cart=1")]
    [InlineData("spor_aid=; spor_sid=")]
    [InlineData("spor_aid=visitor; spor_sid=visit; spor_consent=none")]
    [InlineData("spor_aid=visitor; spor_sid=visit; spor_consent=%00%ff;analytics")]
    [InlineData("spor_aid=visitor; spor_sid=visit; spor_consent=personalization")]
    public async Task Without_consent_nothing_is_sent_and_the_drop_is_counted(string cookies)
    {
        Assert.Null(await TrackAsync(Cookies(cookies)));
        Assert.Equal([DropReason.NoConsent], dropped);
    }

    [Fact]
    public async Task A_refusal_in_the_cookie_overrules_ids_in_headers()
    {
        var request = Cookies("spor_consent=none");
        request["X-Spor-Anonymous-Id"] = "visitor";
        Assert.Null(await TrackAsync(request));
    }

    [Fact]
    public async Task Headers_go_before_cookies_and_say_that_the_visitor_agreed()
    {
        var request = Cookies("spor_aid=old; spor_sid=old");
        request["X-Spor-Anonymous-Id"] = "new";
        var sent = await TrackAsync(request);
        Assert.Equal(("new", "old"), ((string?)sent!["anonymousId"], (string?)sent["sessionId"]));
        Assert.True((bool)sent["consent"]!["analytics"]!);
    }

    [Fact]
    public async Task Without_consent_an_event_may_be_sent_linked_to_nobody()
    {
        var sent = await TrackAsync(
            Cookies("spor_aid=visitor; spor_sid=visit; spor_consent=none"),
            options => options.WithoutConsent = WithoutConsent.SendUnlinked);
        Assert.Equal("""{"analytics":false,"personalization":false}""", sent!["consent"]!.ToJsonString());
        Assert.Null(sent["anonymousId"]);
        Assert.NotEqual("visit", (string?)sent["sessionId"]);
        Assert.Equal(7, Guid.Parse((string)sent["sessionId"]!).Version);
        Assert.Null(sent["context"]);
    }

    [Fact]
    public async Task A_shop_without_consent_management_may_say_so()
    {
        var sent = await TrackAsync(Cookies("spor_aid=visitor"), options => options.RequireConsent = false);
        Assert.Equal("visitor", (string?)sent!["anonymousId"]);
        Assert.Null(sent["consent"]);
    }

    [Fact]
    public async Task A_shop_may_ask_its_own_consent_management_and_name_its_customer()
    {
        var sent = await TrackAsync(Cookies("spor_sid=visit; spor_consent=none"), options =>
        {
            options.GetConsent = http => new Consent { Analytics = http.Request.Path == "/track" };
            options.GetUserId = _ => "customer-7";
        });
        Assert.Equal(("visit", "customer-7"), ((string?)sent!["sessionId"], (string?)sent["userId"]));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a\tb")]
    [InlineData("two words")]
    public async Task An_id_that_cannot_be_one_is_ignored_in_a_header(string id)
    {
        var request = Cookies("spor_sid=visit; spor_consent=analytics");
        request["X-Spor-Anonymous-Id"] = id;
        Assert.Null((await TrackAsync(request))!["anonymousId"]);
    }

    [Theory]
    [InlineData("%00")]
    [InlineData("a%0d%0aSet-Cookie:x=1")]
    [InlineData("%22%2c%22userId%22%3a%22someone-else%22%20")]
    [InlineData("%ed%a0%80")]
    [InlineData("%f0%9f%92%a9")]
    [InlineData("%")]
    [InlineData("=;=;;")]
    [InlineData("long")]
    public async Task A_hostile_cookie_costs_the_event_nothing_but_that_id(string value)
    {
        value = value == "long" ? new string('x', 16_000) : value;
        var sent = await TrackAsync(Cookies($"spor_aid={value}; spor_sid=visit; spor_consent=analytics"));
        Assert.Equal("visit", (string?)sent!["sessionId"]);
        Assert.Null(sent["userId"]);
        var id = (string?)sent["anonymousId"] ?? "none";
        Assert.InRange(id.Length, 1, 200);
        Assert.All(id, letter => Assert.InRange(letter, '!', '~'));
    }

    [Fact]
    public async Task Of_two_cookies_of_one_name_one_is_taken_whole()
    {
        var sent = await TrackAsync(Cookies("spor_aid=host; spor_aid=domain; spor_sid=visit"));
        Assert.True((string?)sent!["anonymousId"] is "host" or "domain", sent.ToJsonString());
    }

    [Fact]
    public async Task Addresses_lose_their_query_and_a_script_happens_on_its_page()
    {
        var script = await TrackAsync(new()
        {
            ["X-Spor-Session-Id"] = "visit",
            ["Referer"] = "https://shop.example/search?q=private#x",
            ["Accept-Language"] = "da-DK,da;q=0.9",
        });
        Assert.Equal("""{"url":"https://shop.example/search","locale":"da-DK"}""", script!["context"]!.ToJsonString());
    }

    [Fact]
    public async Task A_page_happens_at_its_own_address()
    {
        var page = await TrackAsync(new()
        {
            ["X-Spor-Session-Id"] = "visit",
            ["Referer"] = "https://search.example/?q=shoes",
            ["Sec-Fetch-Dest"] = "document",
        });
        Assert.Equal("""{"url":"http://localhost/track","referrer":"https://search.example/"}""", page!["context"]!.ToJsonString());
    }

    [Fact]
    public async Task Work_that_outlives_its_request_has_no_visitor_unless_it_is_handed_over()
    {
        var mayGoOn = new TaskCompletionSource();
        var done = new TaskCompletionSource();
        await StartAsync(_ => { }, (http, client) =>
        {
            var visitor = http.GetSporVisitor();
            _ = Task.Run(async () =>
            {
                await mayGoOn.Task;
                client.Track(new ProductClicked("without"));
                client.Track(new ProductClicked("with"), visitor);
                done.SetResult();
            });
        });
        await GetAsync(new() { ["X-Spor-Session-Id"] = "visit" });
        mayGoOn.SetResult();
        await done.Task;
        await app!.Services.GetRequiredService<TrackingClient>().FlushAsync(TestContext.Current.CancellationToken);
        Assert.Equal([(null, "without"), ("visit", "with")], receiver.Events.Select(item => ((string?)item["sessionId"], (string?)item["productId"])));
    }

    [Theory]
    [InlineData("/track?X-Spor-Search-Id=S-1", null)]
    [InlineData("/track", "S-1")]
    public async Task The_search_that_led_here_is_found(string path, string? header)
    {
        string? found = null;
        await StartAsync(_ => { }, (http, _) => found = http.GetSporSearchId());
        await GetAsync(header is null ? [] : new() { ["X-Spor-Search-Id"] = header }, path);
        Assert.Equal("S-1", found);
    }

    [Theory]
    [InlineData("application/x-www-form-urlencoded", "X-Spor-Search-Id=S-1", true, "S-1")]
    [InlineData("application/x-www-form-urlencoded", "X-Spor-Search-Id=S-1", false, null)]
    [InlineData("multipart/form-data", "no boundary", false, null)]
    public async Task The_search_is_found_in_a_form_that_was_read_and_a_malformed_one_throws_nothing(string type, string body, bool read, string? expected)
    {
        string? found = "none";
        await StartAsync(_ => { }, (_, _) => { }, app => app.MapPost("/order", async http =>
        {
            if (read)
            {
                await http.Request.ReadFormAsync(http.RequestAborted);
            }

            found = http.GetSporSearchId();
        }));
        using var browser = app!.GetTestClient();
        using var content = new StringContent(body);
        content.Headers.ContentType = new(type);
        (await browser.PostAsync("/order", content, TestContext.Current.CancellationToken)).EnsureSuccessStatusCode();
        Assert.Equal(expected, found);
    }

    private static Dictionary<string, string> Cookies(string cookies) => new() { ["Cookie"] = cookies };

    /// <summary>The event of a request, as the receiver got it; null when it got none.</summary>
    private async Task<JsonObject?> TrackAsync(Dictionary<string, string> headers, Action<SporVisitorOptions>? configure = null)
    {
        await StartAsync(configure, (_, client) => client.Track(new ProductClicked("SKU-1")));
        await GetAsync(headers);
        await app!.StopAsync(TestContext.Current.CancellationToken);
        return receiver.Events.SingleOrDefault();
    }

    private async Task StartAsync(Action<SporVisitorOptions>? configure, Action<HttpContext, TrackingClient> handle, Action<WebApplication>? map = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseTestServer();
        builder.Services.AddSporVisitor(configure).AddSporTracking(options =>
        {
            options.Endpoint = new Uri("https://events.shop.example");
            options.InstrumentationKey = "ik_test";
            options.OnDropped = drop => dropped.Add(drop.Reason);
        });
        builder.Services.AddHttpClient("Spor.Tracking").ConfigurePrimaryHttpMessageHandler(() => receiver);
        app = builder.Build();
        app.UseSporVisitor();
        app.MapGet("/track", handle);
        map?.Invoke(app);
        await app.StartAsync(TestContext.Current.CancellationToken);
    }

    private async Task GetAsync(Dictionary<string, string> headers, string path = "/track")
    {
        using var browser = app!.GetTestClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        using var response = await browser.SendAsync(request, TestContext.Current.CancellationToken);
        response.EnsureSuccessStatusCode();
    }
}
