using System;
using System.Collections.Generic;
using System.Linq;

namespace Shop;

internal sealed record Product(string Id, string Name, decimal Price);

/// <summary>What the shop sells.</summary>
internal static class Catalogue
{
    public const string Currency = "DKK";

    private static readonly List<Product> Products =
    [
        new("SKU-1", "Running shoes, blue", 899.95m),
        new("SKU-2", "Running shoes, red", 749.50m),
        new("SKU-3", "Running socks, three pairs", 119.00m),
        new("SKU-4", "Rain jacket", 1199.25m),
        new("SKU-5", "Water bottle", 89.75m),
    ];

    public static Product? Find(string id) => Products.Find(product => product.Id == id);

    public static List<Product> Search(string phrase) =>
        [.. Products.Where(product => product.Name.Contains(phrase, StringComparison.OrdinalIgnoreCase))];
}
