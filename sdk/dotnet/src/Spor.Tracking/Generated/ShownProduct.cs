// Written by tools/generate-models.ts from schemas/. Do not edit.
using System.Text.Json;

namespace Spor.Tracking;

/// <summary>One of the products of ProductsShown.</summary>
public sealed class ShownProduct
{
    /// <summary>Creates it with the fields every ShownProduct has.</summary>
    /// <param name="productId">The product.</param>
    public ShownProduct(string productId)
    {
        ProductId = productId;
    }

    /// <summary>Creates it with productId, position.</summary>
    /// <param name="productId">The product.</param>
    /// <param name="position">Absolute position in the list from 1, counted across pages.</param>
    public ShownProduct(string productId, int position)
    {
        ProductId = productId;
        Position = position;
    }

    /// <summary>The product.</summary>
    public string ProductId { get; set; }

    /// <summary>The variant, such as a size or colour.</summary>
    public string? VariantId { get; set; }

    /// <summary>Absolute position in the list from 1, counted across pages.</summary>
    public int? Position { get; set; }

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

        if (Position is { } position)
        {
            writer.WriteNumber("position"u8, position);
        }

        writer.WriteEndObject();
    }
}
