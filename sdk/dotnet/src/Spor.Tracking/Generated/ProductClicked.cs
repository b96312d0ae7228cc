// Written by tools/generate-models.ts from schemas/. Do not edit.
using System.Text.Json;

namespace Spor.Tracking;

/// <summary>A visitor opened a product from a list, a search or a recommendation.</summary>
public sealed class ProductClicked : TrackingEvent
{
    /// <summary>Creates it with the fields every ProductClicked has.</summary>
    /// <param name="productId">The product.</param>
    public ProductClicked(string productId)
    {
        ProductId = productId;
    }

    /// <inheritdoc/>
    public override string EventType => "ProductClicked";

    /// <summary>The product.</summary>
    public string ProductId { get; set; }

    /// <summary>The variant, such as a size or colour.</summary>
    public string? VariantId { get; set; }

    /// <summary>Absolute position in the list from 1, counted across pages.</summary>
    public int? Position { get; set; }

    /// <summary>The search that showed the product.</summary>
    public string? SearchId { get; set; }

    /// <summary>The category or list that showed the product.</summary>
    public string? ListId { get; set; }

    /// <summary>The recommendation that showed the product.</summary>
    public string? RecommendationId { get; set; }

    /// <summary>True if the sender inferred the source: searchId, recommendationId or listId. Absent if the shop named it.</summary>
    public bool? Inferred { get; set; }

    /// <summary>Price shown. Sent with at most four decimals.</summary>
    public decimal? Price { get; set; }

    /// <summary>ISO 4217 code in capitals.</summary>
    public string? Currency { get; set; }

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

        if (Position is { } position)
        {
            writer.WriteNumber("position"u8, position);
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

        if (Price is { } price)
        {
            writer.WriteNumber("price"u8, FourDecimals.Rounded(price));
        }

        if (Currency is { } currency)
        {
            writer.WriteString("currency"u8, currency);
        }
    }
}
