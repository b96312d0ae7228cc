// Written by tools/generate-models.ts from schemas/. Do not edit.
using System.Collections.Generic;
using System.Text.Json;

namespace Spor.Tracking;

/// <summary>A visitor searched and was shown a list of results.</summary>
public sealed class Search : TrackingEvent
{
    /// <summary>Creates it with the fields every Search has.</summary>
    /// <param name="phrase">What the visitor typed; empty for a browse of everything.</param>
    public Search(string phrase)
    {
        Phrase = phrase;
    }

    /// <summary>Creates it with phrase, resultsCount.</summary>
    /// <param name="phrase">What the visitor typed; empty for a browse of everything.</param>
    /// <param name="resultsCount">How many products matched in all; absent if unknown.</param>
    public Search(string phrase, int resultsCount)
    {
        Phrase = phrase;
        ResultsCount = resultsCount;
    }

    /// <inheritdoc/>
    public override string EventType => "Search";

    /// <summary>Id of this search. Later clicks, cart adds and order lines carry it, so that they are attributed to it.</summary>
    public string? SearchId { get; set; }

    /// <summary>What the visitor typed; empty for a browse of everything.</summary>
    public string Phrase { get; set; }

    /// <summary>How many products matched in all; absent if unknown.</summary>
    public int? ResultsCount { get; set; }

    /// <summary>Product ids shown, best first.</summary>
    public IReadOnlyList<string>? ResultIds { get; set; }

    /// <summary>Page of results shown, from 1.</summary>
    public int? Page { get; set; }

    /// <summary>Products per page.</summary>
    public int? PageSize { get; set; }

    /// <summary>Sort order in the shop's own words.</summary>
    public string? Sort { get; set; }

    /// <summary>Filters in force.</summary>
    public IReadOnlyList<SearchFilter>? Filters { get; set; }

    internal override void WriteFields(Utf8JsonWriter writer)
    {
        if (SearchId is { } searchId)
        {
            writer.WriteString("searchId"u8, searchId);
        }

        if (Phrase is { } phrase)
        {
            writer.WriteString("phrase"u8, phrase);
        }

        if (ResultsCount is { } resultsCount)
        {
            writer.WriteNumber("resultsCount"u8, resultsCount);
        }

        if (ResultIds is { } resultIds)
        {
            writer.WriteStartArray("resultIds"u8);
            foreach (var item in resultIds)
            {
                writer.WriteStringValue(item);
            }

            writer.WriteEndArray();
        }

        if (Page is { } page)
        {
            writer.WriteNumber("page"u8, page);
        }

        if (PageSize is { } pageSize)
        {
            writer.WriteNumber("pageSize"u8, pageSize);
        }

        if (Sort is { } sort)
        {
            writer.WriteString("sort"u8, sort);
        }

        if (Filters is { } filters)
        {
            writer.WriteStartArray("filters"u8);
            foreach (var item in filters)
            {
                item.Write(writer);
            }

            writer.WriteEndArray();
        }
    }
}
