// Written by tools/generate-models.ts from schemas/. Do not edit.
using System.Collections.Generic;
using System.Text.Json;

namespace Spor.Tracking;

/// <summary>Money of an order was given back: all of it, an amount, or the given lines. It counts on the day of the refund. For server keys only.</summary>
public sealed class OrderRefunded : TrackingEvent
{
    /// <summary>Creates it with the fields every OrderRefunded has.</summary>
    /// <param name="orderId">The order's number. A return whose order is unknown counts too, if it has currency and amount.</param>
    public OrderRefunded(string orderId)
    {
        OrderId = orderId;
    }

    /// <inheritdoc/>
    public override string EventType => "OrderRefunded";

    /// <summary>The order's number. A return whose order is unknown counts too, if it has currency and amount.</summary>
    public string OrderId { get; set; }

    /// <summary>The shop's number of the refund. A refund that is told twice under one number counts once.</summary>
    public string? RefundId { get; set; }

    /// <summary>ISO 4217 code in capitals.</summary>
    public string? Currency { get; set; }

    /// <summary>The money given back, tax included. Absent: the sum of the lines, or all that is left of the order. Sent with at most four decimals.</summary>
    public decimal? Amount { get; set; }

    /// <summary>Why, in the shop's own words.</summary>
    public string? Reason { get; set; }

    /// <summary>The returned lines; absent: the whole order or an amount.</summary>
    public IReadOnlyList<ReturnedLine>? Lines { get; set; }

    internal override void WriteFields(Utf8JsonWriter writer)
    {
        if (OrderId is { } orderId)
        {
            writer.WriteString("orderId"u8, orderId);
        }

        if (RefundId is { } refundId)
        {
            writer.WriteString("refundId"u8, refundId);
        }

        if (Currency is { } currency)
        {
            writer.WriteString("currency"u8, currency);
        }

        if (Amount is { } amount)
        {
            writer.WriteNumber("amount"u8, FourDecimals.Rounded(amount));
        }

        if (Reason is { } reason)
        {
            writer.WriteString("reason"u8, reason);
        }

        if (Lines is { } lines)
        {
            writer.WriteStartArray("lines"u8);
            foreach (var item in lines)
            {
                item.Write(writer);
            }

            writer.WriteEndArray();
        }
    }
}
