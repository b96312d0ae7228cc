// Written by tools/generate-models.ts from schemas/. Do not edit.
using System.Collections.Generic;
using System.Text.Json;

namespace Spor.Tracking;

/// <summary>One of the lines of OrderCreated.</summary>
public sealed class OrderLine
{
    /// <summary>Creates it with the fields every OrderLine has.</summary>
    /// <param name="quantity">How many were ordered; negative for goods taken back in exchange. At most four decimals.</param>
    /// <param name="unitPrice">Price of one, before discount. pricesIncludeTax says whether it contains tax. Sent with at most four decimals.</param>
    public OrderLine(decimal quantity, decimal unitPrice)
    {
        Quantity = quantity;
        UnitPrice = unitPrice;
    }

    /// <summary>Creates it with productId, quantity, unitPrice.</summary>
    /// <param name="productId">The product; absent for a fee, a tip, a custom item or a deleted product.</param>
    /// <param name="quantity">How many were ordered; negative for goods taken back in exchange. At most four decimals.</param>
    /// <param name="unitPrice">Price of one, before discount. pricesIncludeTax says whether it contains tax. Sent with at most four decimals.</param>
    public OrderLine(string productId, decimal quantity, decimal unitPrice)
    {
        ProductId = productId;
        Quantity = quantity;
        UnitPrice = unitPrice;
    }

    /// <summary>The product; absent for a fee, a tip, a custom item or a deleted product.</summary>
    public string? ProductId { get; set; }

    /// <summary>The variant, such as a size or colour.</summary>
    public string? VariantId { get; set; }

    /// <summary>How many were ordered; negative for goods taken back in exchange. At most four decimals.</summary>
    public decimal Quantity { get; set; }

    /// <summary>Price of one, before discount. pricesIncludeTax says whether it contains tax. Sent with at most four decimals.</summary>
    public decimal UnitPrice { get; set; }

    /// <summary>Discount on the whole line, as a positive amount. Sent with at most four decimals.</summary>
    public decimal? Discount { get; set; }

    /// <summary>The search that led to this line.</summary>
    public string? SearchId { get; set; }

    /// <summary>The recommendation that led to this line.</summary>
    public string? RecommendationId { get; set; }

    /// <summary>The list that led to this line.</summary>
    public string? ListId { get; set; }

    /// <summary>True if the sender inferred the source: searchId, recommendationId or listId. Absent if the shop named it.</summary>
    public bool? Inferred { get; set; }

    /// <summary>Name of the line, for lines without a product.</summary>
    public string? Name { get; set; }

    /// <summary>product (the default), gift_card, shipping, fee, tip, tax, discount, donation, or a word of the shop.</summary>
    public string? Kind { get; set; }

    /// <summary>Anything else the shop wants to keep with the line. Stored as JSON text, not interpreted.</summary>
    public IReadOnlyDictionary<string, object?>? Properties { get; set; }

    internal void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        if (ProductId is { } productId)
        {
            writer.WriteString("productId"u8, productId);
        }

        if (VariantId is { } variantId)
        {
            writer.WriteString("variantId"u8, variantId);
        }

        writer.WriteNumber("quantity"u8, FourDecimals.Rounded(Quantity));

        writer.WriteNumber("unitPrice"u8, FourDecimals.Rounded(UnitPrice));

        if (Discount is { } discount)
        {
            writer.WriteNumber("discount"u8, FourDecimals.Rounded(discount));
        }

        if (SearchId is { } searchId)
        {
            writer.WriteString("searchId"u8, searchId);
        }

        if (RecommendationId is { } recommendationId)
        {
            writer.WriteString("recommendationId"u8, recommendationId);
        }

        if (ListId is { } listId)
        {
            writer.WriteString("listId"u8, listId);
        }

        if (Inferred is { } inferred)
        {
            writer.WriteBoolean("inferred"u8, inferred);
        }

        if (Name is { } name)
        {
            writer.WriteString("name"u8, name);
        }

        if (Kind is { } kind)
        {
            writer.WriteString("kind"u8, kind);
        }

        if (Properties is { } properties)
        {
            writer.WritePropertyName("properties"u8);
            JsonValue.Write(writer, properties);
        }

        writer.WriteEndObject();
    }
}
