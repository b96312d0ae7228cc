// Written by tools/generate-models.ts from schemas/. Do not edit.
using System.Text.Json;

namespace Spor.Tracking;

/// <summary>A visitor saw the page of a product, from wherever they came.</summary>
public sealed class ProductViewed : TrackingEvent
{
    /// <summary>Creates it with the fields every ProductViewed has.</summary>
    /// <param name="productId">The product.</param>
    public ProductViewed(string productId)
    {
        ProductId = productId;
    }

    /// <inheritdoc/>
    public override string EventType => "ProductViewed";

    /// <summary>The product.</summary>
    public string ProductId { get; set; }

    /// <summary>The variant, such as a size or colour.</summary>
    public string? VariantId { get; set; }

    /// <summary>Price shown. Sent with at most four decimals.</summary>
    public decimal? Price { get; set; }

    /// <summary>ISO 4217 code in capitals.</summary>
    public string? Currency { get; set; }

    /// <summary>The search that led here.</summary>
    public string? SearchId { get; set; }

    /// <summary>The category or list that led here.</summary>
    public string? ListId { get; set; }

    /// <summary>The recommendation that led here.</summary>
    public string? RecommendationId { get; set; }

    /// <summary>True if the sender inferred the source: searchId, recommendationId or listId. Absent if the shop named it.</summary>
    public bool? Inferred { get; set; }

    internal override void WriteFields(Utf8JsonWriter writer)
    {
        if (ProductId is { } productId)
        {
            writer.WriteString("productId"u8, productId);
        }

        if (VariantId is { } variantId)
        {
            writer.WriteString("variantId"u8, variantId);
        }

        if (Price is { } price)
        {
            writer.WriteNumber("price"u8, FourDecimals.Rounded(price));
        }

        if (Currency is { } currency)
        {
            writer.WriteString("currency"u8, currency);
        }

        if (SearchId is { } searchId)
        {
            writer.WriteString("searchId"u8, searchId);
        }

        if (ListId is { } listId)
        {
            writer.WriteString("listId"u8, listId);
        }

        if (RecommendationId is { } recommendationId)
        {
            writer.WriteString("recommendationId"u8, recommendationId);
        }

        if (Inferred is { } inferred)
        {
            writer.WriteBoolean("inferred"u8, inferred);
        }
    }
}
