// Written by tools/generate-models.ts from schemas/. Do not edit.
using System.Collections.Generic;
using System.Text.Json;

namespace Spor.Tracking;

/// <summary>Products of a result, a list or a recommendation were in front of the visitor. One event holds many of them.</summary>
public sealed class ProductsShown : TrackingEvent
{
    /// <summary>Creates it with the fields every ProductsShown has.</summary>
    /// <param name="products">The products shown.</param>
    public ProductsShown(IReadOnlyList<ShownProduct> products)
    {
        Products = products;
    }

    /// <inheritdoc/>
    public override string EventType => "ProductsShown";

    /// <summary>The products shown.</summary>
    public IReadOnlyList<ShownProduct> Products { get; set; }

    /// <summary>The search that found them.</summary>
    public string? SearchId { get; set; }

    /// <summary>The category or list that holds them.</summary>
    public string? ListId { get; set; }

    /// <summary>Name of the list or recommendation, as the visitor reads it.</summary>
    public string? ListName { get; set; }

    /// <summary>The recommendation that holds them.</summary>
    public string? RecommendationId { get; set; }

    internal override void WriteFields(Utf8JsonWriter writer)
    {
        if (Products is { } products)
        {
            writer.WriteStartArray("products"u8);
            foreach (var item in products)
            {
                item.Write(writer);
            }

            writer.WriteEndArray();
        }

        if (SearchId is { } searchId)
        {
            writer.WriteString("searchId"u8, searchId);
        }

        if (ListId is { } listId)
        {
            writer.WriteString("listId"u8, listId);
        }

        if (ListName is { } listName)
        {
            writer.WriteString("listName"u8, listName);
        }

        if (RecommendationId is { } recommendationId)
        {
            writer.WriteString("recommendationId"u8, recommendationId);
        }
    }
}
