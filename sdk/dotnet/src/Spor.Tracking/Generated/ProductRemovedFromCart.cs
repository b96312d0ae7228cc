// Written by tools/generate-models.ts from schemas/. Do not edit.
using System.Text.Json;

namespace Spor.Tracking;

/// <summary>A visitor took a product out of the cart, or lowered its quantity.</summary>
public sealed class ProductRemovedFromCart : TrackingEvent
{
    /// <summary>Creates it with the fields every ProductRemovedFromCart has.</summary>
    /// <param name="productId">The product.</param>
    /// <param name="quantity">How many were removed. Sent with at most four decimals.</param>
    public ProductRemovedFromCart(string productId, decimal quantity)
    {
        ProductId = productId;
        Quantity = quantity;
    }

    /// <inheritdoc/>
    public override string EventType => "ProductRemovedFromCart";

    /// <summary>The product.</summary>
    public string ProductId { get; set; }

    /// <summary>How many were removed. Sent with at most four decimals.</summary>
    public decimal Quantity { get; set; }

    /// <summary>The variant, such as a size or colour.</summary>
    public string? VariantId { get; set; }

    /// <summary>Price of one. Sent with at most four decimals.</summary>
    public decimal? UnitPrice { get; set; }

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

        writer.WriteNumber("quantity"u8, FourDecimals.Rounded(Quantity));

        if (VariantId is { } variantId)
        {
            writer.WriteString("variantId"u8, variantId);
        }

        if (UnitPrice is { } unitPrice)
        {
            writer.WriteNumber("unitPrice"u8, FourDecimals.Rounded(unitPrice));
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
