// Written by tools/generate-models.ts from schemas/. Do not edit.
using System.Text.Json;

namespace Spor.Tracking;

/// <summary>One of the lines of OrderRefunded.</summary>
public sealed class ReturnedLine
{
    /// <summary>The product, as on the order's line.</summary>
    public string? ProductId { get; set; }

    /// <summary>The variant, as on the order's line.</summary>
    public string? VariantId { get; set; }

    /// <summary>How many are returned or cancelled; absent: all of the line. Sent with at most four decimals.</summary>
    public decimal? Quantity { get; set; }

    /// <summary>Amount for this line, as a positive number; absent: what the order's line says for the quantity. Sent with at most four decimals.</summary>
    public decimal? Amount { get; set; }

    /// <summary>Name of the line, for lines without a product.</summary>
    public string? Name { get; set; }

    /// <summary>product (the default), gift_card, shipping, fee, tip, tax, discount, donation, or a word of the shop.</summary>
    public string? Kind { get; set; }

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

        if (Quantity is { } quantity)
        {
            writer.WriteNumber("quantity"u8, FourDecimals.Rounded(quantity));
        }

        if (Amount is { } amount)
        {
            writer.WriteNumber("amount"u8, FourDecimals.Rounded(amount));
        }

        if (Name is { } name)
        {
            writer.WriteString("name"u8, name);
        }

        if (Kind is { } kind)
        {
            writer.WriteString("kind"u8, kind);
        }

        writer.WriteEndObject();
    }
}
