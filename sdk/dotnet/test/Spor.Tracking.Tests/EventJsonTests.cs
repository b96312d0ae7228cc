using System;
using System.Collections.Generic;
using System.Text;
using System.Text.Json.Nodes;

namespace Spor.Tracking.Tests;

public sealed class EventJsonTests
{
    private static readonly Guid Id = Guid.Parse("0192f3a0-7b6c-7d8e-9f00-112233445566");
    private static readonly DateTimeOffset Time = new DateTimeOffset(2026, 11, 23, 11, 0, 0, TimeSpan.FromHours(1)).AddTicks(1234567);

    [Fact]
    public void Common_fields_come_first_and_times_are_utc_to_the_tick()
    {
        var click = new ProductClicked("SKU-1")
        {
            SessionId = "s",
            AnonymousId = "a",
            UserId = "u",
            Consent = new Consent { Analytics = true, Personalization = false },
            Context = new EventContext { Url = "https://shop.example/p", Referrer = "https://r.example", Locale = "da-DK", Channel = "web" },
            Properties = new Dictionary<string, object?> { ["x"] = 1 },
        };
        Assert.Equal(
            """
            {"eventId":"0192f3a0-7b6c-7d8e-9f00-112233445566","type":"ProductClicked","timestamp":"2026-11-23T10:00:00.1234567Z","sessionId":"s","anonymousId":"a","userId":"u","consent":{"analytics":true,"personalization":false},"context":{"url":"https://shop.example/p","referrer":"https://r.example","locale":"da-DK","channel":"web"},"properties":{"x":1},"productId":"SKU-1"}
            """,
            Json(click));
    }

    [Fact]
    public void Search_has_every_field()
    {
        var search = new Search("løbesko", 128)
        {
            SearchId = "S-1",
            ResultIds = ["SKU-1", "SKU-7"],
            Page = 2,
            PageSize = 24,
            Sort = "price",
            Filters = [new SearchFilter("brand", ["x", "y"])],
        };
        AssertFields(
            """{"searchId":"S-1","phrase":"løbesko","resultsCount":128,"resultIds":["SKU-1","SKU-7"],"page":2,"pageSize":24,"sort":"price","filters":[{"field":"brand","values":["x","y"]}]}""",
            search);
    }

    [Fact]
    public void Click_and_cart_have_every_field()
    {
        AssertFields(
            """{"productId":"P","variantId":"V","position":3,"searchId":"S","listId":"L","recommendationId":"R","price":9.95,"currency":"DKK"}""",
            new ProductClicked("P") { VariantId = "V", Position = 3, SearchId = "S", ListId = "L", RecommendationId = "R", Price = 9.95m, Currency = "DKK" });
        AssertFields(
            """{"productId":"P","quantity":1.5,"variantId":"V","unitPrice":9.95,"currency":"DKK","searchId":"S","listId":"L"}""",
            new ProductAddedToCart("P", 1.5m) { VariantId = "V", UnitPrice = 9.95m, Currency = "DKK", SearchId = "S", ListId = "L" });
    }

    [Fact]
    public void Order_has_every_field()
    {
        var order = new OrderCreated("O-1", "DKK", 1234.50m, [new OrderLine("P", 2, 617.25m) { VariantId = "V", Discount = 1m, SearchId = "S" }])
        {
            Tax = 246.9m,
            Shipping = 39m,
            Discount = 10m,
            CouponCodes = ["XMAS"],
        };
        AssertFields(
            """{"orderId":"O-1","currency":"DKK","total":1234.50,"tax":246.9,"shipping":39,"discount":10,"couponCodes":["XMAS"],"lines":[{"productId":"P","variantId":"V","quantity":2,"unitPrice":617.25,"discount":1,"searchId":"S"}]}""",
            order);
    }

    [Fact]
    public void Events_on_the_way_to_an_order_have_every_field()
    {
        AssertFields(
            """{"products":[{"productId":"A","position":25},{"productId":"B","position":26}],"searchId":"S","listId":"L","listName":"Sko","recommendationId":"R"}""",
            new ProductsShown(ShownProducts.InOrder(["A", "B"], 25)) { SearchId = "S", ListId = "L", ListName = "Sko", RecommendationId = "R" });
        AssertFields(
            """{"products":[{"productId":"A","variantId":"V"}]}""",
            new ProductsShown([new ShownProduct("A") { VariantId = "V" }]));
        AssertFields(
            """{"productId":"P","variantId":"V","price":9.95,"currency":"DKK","searchId":"S","listId":"L","recommendationId":"R","inferred":true}""",
            new ProductViewed("P") { VariantId = "V", Price = 9.95m, Currency = "DKK", SearchId = "S", ListId = "L", RecommendationId = "R", Inferred = true });
        AssertFields(
            """{"productId":"P","quantity":1.5,"variantId":"V","unitPrice":9.95,"currency":"DKK"}""",
            new ProductRemovedFromCart("P", 1.5m) { VariantId = "V", UnitPrice = 9.95m, Currency = "DKK" });
        AssertFields(
            """{"currency":"DKK","total":9.95,"couponCodes":["XMAS"],"pricesIncludeTax":true,"lines":[{"productId":"P","quantity":1,"unitPrice":9.95,"properties":{"engraving":"Ida"}}]}""",
            new CheckoutStarted
            {
                Currency = "DKK",
                Total = 9.95m,
                CouponCodes = ["XMAS"],
                PricesIncludeTax = true,
                Lines = [new OrderLine("P", 1, 9.95m) { Properties = new Dictionary<string, object?> { ["engraving"] = "Ida" } }],
            });
        Assert.Contains(
            """
            "experiments":[{"id":"ranking","variant":"b"}],"productId":"P"
            """,
            Json(new ProductClicked("P") { Experiments = [new Experiment("ranking", "b")] }),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("33.333333333333333333333333333", "33.3333")]
    [InlineData("0.1", "0.1")]
    [InlineData("79.992", "79.992")]
    [InlineData("12.00005", "12.0001")]
    [InlineData("12.00015", "12.0002")]
    [InlineData("99999999999.9999", "99999999999.9999")]
    public void Money_is_written_exactly_with_at_most_four_decimals(string amount, string expected)
    {
        var order = new OrderCreated("O", "DKK", decimal.Parse(amount, System.Globalization.CultureInfo.InvariantCulture), []);
        Assert.Contains($"\"total\":{expected},", Json(order), StringComparison.Ordinal);
    }

    [Fact]
    public void Properties_take_every_plain_value()
    {
        var properties = new Dictionary<string, object?>
        {
            ["null"] = null,
            ["text"] = "æ\"\n<>",
            ["yes"] = true,
            ["int"] = 1,
            ["byte"] = (byte)2,
            ["ulong"] = ulong.MaxValue,
            ["double"] = 0.5,
            ["decimal"] = 1.10m,
            ["time"] = Time,
            ["date"] = new DateOnly(2026, 11, 23),
            ["guid"] = Id,
            ["uri"] = new Uri("https://shop.example/"),
            ["enum"] = DayOfWeek.Friday,
            ["list"] = new object?[] { 1, "x", null, new[] { 2 } },
            ["texts"] = new Dictionary<string, string> { ["a"] = "b" },
            ["map"] = new Dictionary<string, object?> { ["a"] = new Dictionary<string, object?>() },
            ["node"] = new JsonObject { ["n"] = 1 },
        };
        Assert.Equal(
            """{"null":null,"text":"æ\"\n<>","yes":true,"int":1,"byte":2,"ulong":18446744073709551615,"double":0.5,"decimal":1.10,"time":"2026-11-23T11:00:00.1234567+01:00","date":"11/23/2026","guid":"0192f3a0-7b6c-7d8e-9f00-112233445566","uri":"https://shop.example/","enum":"Friday","list":[1,"x",null,[2]],"texts":{"a":"b"},"map":{"a":{}},"node":{"n":1}}""",
            Fields(new ProductClicked("P") { Properties = properties })["properties"]!.ToJsonString(new System.Text.Json.JsonSerializerOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }));
    }

    [Fact]
    public void Properties_that_contain_themselves_are_refused()
    {
        var endless = new Dictionary<string, object?>();
        endless["self"] = endless;
        Assert.Throws<NotSupportedException>(() => Json(new ProductClicked("P") { Properties = endless }));
        Assert.Throws<NotSupportedException>(() => Json(new ProductClicked("P") { Properties = new Dictionary<string, object?> { ["x"] = new object() } }));
    }

    [Fact]
    public void Visitor_fills_in_what_the_event_leaves_out()
    {
        var visitor = new Visitor { SessionId = "visit", AnonymousId = "anon", UserId = "user", Consent = new Consent { Analytics = true } };
        var fields = Fields(new ProductClicked("P") { SessionId = "own" }, visitor);
        Assert.Equal("own", (string?)fields["sessionId"]);
        Assert.Equal("anon", (string?)fields["anonymousId"]);
        Assert.Equal("user", (string?)fields["userId"]);
        Assert.True((bool)fields["consent"]!["analytics"]!);
    }

    [Fact]
    public void Required_texts_that_are_null_are_left_to_the_receiver()
    {
        var fields = Fields(new OrderCreated(null!, null!, 1, null!));
        Assert.Null(fields["orderId"]);
        Assert.Null(fields["lines"]);
    }

    private static void AssertFields(string expected, TrackingEvent trackingEvent)
    {
        var json = Json(trackingEvent);
        Assert.EndsWith(expected[1..], json, StringComparison.Ordinal);
    }

    private static JsonObject Fields(TrackingEvent trackingEvent, Visitor? visitor = null) => JsonNode.Parse(Json(trackingEvent, visitor))!.AsObject();

    private static string Json(TrackingEvent trackingEvent, Visitor? visitor = null)
    {
        using var serializer = new EventSerializer();
        return Encoding.UTF8.GetString(serializer.Serialize(new TrackedEvent(trackingEvent, Id, Time, visitor)).Json);
    }
}
