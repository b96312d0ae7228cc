// Sends the examples of the receiver's document with generated clients: nswag|kiota URL KEY QUERY_URL TOKEN EXAMPLES_FILE.
// Each line of output is one answer as JSON.
using System.Text.Json;
using Microsoft.Kiota.Abstractions;
using Microsoft.Kiota.Abstractions.Authentication;
using Microsoft.Kiota.Abstractions.Serialization;
using Microsoft.Kiota.Http.HttpClientLibrary;
using Microsoft.Kiota.Serialization.Json;

var (client, url, key, queryUrl, token) = (args[0], args[1], args[2], args[3], args[4]);
var examples = JsonDocument.Parse(File.ReadAllText(args[5])).RootElement.EnumerateArray().Select(one => one.GetRawText());
if (client == "nswag") await NSwag(); else await Kiota();

void Say(object answer) => Console.WriteLine(JsonSerializer.Serialize(answer));

async Task NSwag()
{
    using var http = new HttpClient { DefaultRequestHeaders = { { "X-Instrumentation-Key", key } } };
    var receiver = new Clients.NSwag.Receiver.Receiver(http) { BaseUrl = url };
    foreach (var example in examples)
    {
        var one = JsonSerializer.Deserialize<Clients.NSwag.Receiver.Event>(example)!;
        one.EventId = Guid.NewGuid();
        var sent = await receiver.SendEventsAsync(false, new() { SentAt = one.Timestamp, Events = [one] });
        Say(new { told = "example", type = one.Type.ToString(), eventId = one.EventId, receipt = sent.ReceiptId, accepted = sent.Accepted });
    }
    var order = new Clients.NSwag.Receiver.Event
    {
        EventId = Guid.NewGuid(), Type = Clients.NSwag.Receiver.EventType.OrderCreated, Timestamp = DateTimeOffset.UtcNow, SessionId = "s-1",
        OrderId = "O-1", Currency = "DKK", Total = 1234567.89, Lines = [new() { ProductId = "SKU-1", Quantity = 1, UnitPrice = 1234567.89 }],
    };
    var bad = new Clients.NSwag.Receiver.Event
    {
        EventId = Guid.NewGuid(), Type = Clients.NSwag.Receiver.EventType.Search, Timestamp = DateTimeOffset.UtcNow, SessionId = "s-1", ResultsCount = 1, // the phrase is missing
    };
    var mixed = await receiver.SendEventsAsync(null, new() { Events = [order, bad] });
    Say(new { told = "order", eventId = order.EventId, receipt = mixed.ReceiptId, accepted = mixed.Accepted, verdict = mixed.Rejected.Single().Code.ToString(), path = mixed.Rejected.Single().Path });
    var dry = await receiver.SendEventsAsync(true, new() { Events = [order] });
    Say(new { told = "dry run", receipt = dry.ReceiptId, accepted = dry.Accepted, total = dry.Rows!.Single().AdditionalProperties["total"] });
    try { await receiver.SendEventsAsync(false, new() { Events = [bad] }); }
    catch (Clients.NSwag.Receiver.ApiException<Clients.NSwag.Receiver.Failure> error)
    {
        Say(new { told = "refused", status = error.StatusCode, code = error.Result.Code.ToString(), verdict = error.Result.Rejected!.Single().Code.ToString() });
    }
    using var reading = new HttpClient { DefaultRequestHeaders = { { "Authorization", $"Bearer {token}" } } };
    var query = new Clients.NSwag.QueryServer.QueryServer(reading) { BaseUrl = queryUrl };
    var session = await query.GetSessionAsync();
    Say(new { told = "session", role = session.Role.ToString(), tenant = session.Tenants.First().TenantId });
    try { await query.GetReceiptAsync("nonsense", null); }
    catch (Clients.NSwag.QueryServer.ApiException<Clients.NSwag.QueryServer.Failure> error)
    {
        Say(new { told = "query refused", status = error.StatusCode, code = error.Result.Code.ToString() });
    }
}

async Task Kiota()
{
    // Kiota's own provider of keys refuses http, which only tests use.
    var nobody = new AnonymousAuthenticationProvider();
    using var http = new HttpClient { DefaultRequestHeaders = { { "X-Instrumentation-Key", key } } };
    using var adapter = new HttpClientRequestAdapter(nobody, httpClient: http) { BaseUrl = url };
    var receiver = new Clients.Kiota.Receiver.Receiver(adapter);
    foreach (var example in examples)
    {
        var one = (await KiotaJsonSerializer.DeserializeAsync<Clients.Kiota.Receiver.Models.Event>(example))!;
        one.EventId = Guid.NewGuid();
        var sent = (await receiver.Api.Events.PostAsync(new() { SentAt = one.Timestamp, Events = [one] }))!;
        Say(new { told = "example", type = one.Type.ToString(), eventId = one.EventId, receipt = sent.ReceiptId, accepted = sent.Accepted });
    }
    var order = new Clients.Kiota.Receiver.Models.Event
    {
        EventId = Guid.NewGuid(), Type = Clients.Kiota.Receiver.Models.EventType.OrderCreated, Timestamp = DateTimeOffset.UtcNow, SessionId = "s-1",
        OrderId = "O-1", Currency = "DKK", Total = 1234567.89, Lines = [new() { ProductId = "SKU-1", Quantity = 1, UnitPrice = 1234567.89 }],
    };
    var bad = new Clients.Kiota.Receiver.Models.Event
    {
        EventId = Guid.NewGuid(), Type = Clients.Kiota.Receiver.Models.EventType.Search, Timestamp = DateTimeOffset.UtcNow, SessionId = "s-1", ResultsCount = 1, // the phrase is missing
    };
    var mixed = (await receiver.Api.Events.PostAsync(new() { Events = [order, bad] }))!;
    Say(new { told = "order", eventId = order.EventId, receipt = mixed.ReceiptId, accepted = mixed.Accepted, verdict = mixed.Rejected!.Single().Code.ToString(), path = mixed.Rejected!.Single().Path });
    var dry = (await receiver.Api.Events.PostAsync(new() { Events = [order] }, request => request.QueryParameters.DryRun = true))!;
    Say(new { told = "dry run", receipt = dry.ReceiptId, accepted = dry.Accepted, total = dry.Rows!.Single().AdditionalData["total"] });
    try { await receiver.Api.Events.PostAsync(new() { Events = [bad] }); }
    catch (Clients.Kiota.Receiver.Models.Failure error)
    {
        Say(new { told = "refused", status = error.ResponseStatusCode, code = error.Code.ToString(), verdict = error.Rejected!.Single().Code.ToString() });
    }
    using var readingHttp = new HttpClient { DefaultRequestHeaders = { { "Authorization", $"Bearer {token}" } } };
    using var reading = new HttpClientRequestAdapter(nobody, httpClient: readingHttp) { BaseUrl = queryUrl };
    var query = new Clients.Kiota.QueryServer.QueryServer(reading);
    var session = (await query.Api.Session.GetAsync())!;
    Say(new { told = "session", role = session.Role.ToString(), tenant = session.Tenants!.First().TenantId });
    try { await query.Api.Receipts["nonsense"].GetAsync(); }
    catch (Clients.Kiota.QueryServer.Models.Failure error)
    {
        Say(new { told = "query refused", status = error.ResponseStatusCode, code = error.Code.ToString() });
    }
}
