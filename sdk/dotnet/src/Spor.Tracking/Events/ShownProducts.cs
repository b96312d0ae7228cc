using System.Collections.Generic;

namespace Spor.Tracking;

/// <summary>Makes the products of a <see cref="ProductsShown"/>.</summary>
public static class ShownProducts
{
    /// <summary>Products that stand one after the other in a list, each with its position.</summary>
    /// <param name="productIds">The products, in the order of the list.</param>
    /// <param name="firstPosition">Position of the first of them: 25 for page 2 of 24 a page.</param>
    public static IReadOnlyList<ShownProduct> InOrder(IEnumerable<string> productIds, int firstPosition = 1)
    {
        var products = new List<ShownProduct>();
        foreach (var productId in productIds)
        {
            products.Add(new ShownProduct(productId, firstPosition + products.Count));
        }

        return products;
    }
}
