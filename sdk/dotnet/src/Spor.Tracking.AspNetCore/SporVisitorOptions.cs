using System;
using Microsoft.AspNetCore.Http;

namespace Spor.Tracking.AspNetCore;

/// <summary>Where a request says who its visitor is and what they have agreed to.</summary>
public class SporVisitorOptions
{
    /// <summary>
    /// Cookie with the visitor's id. Default <c>spor_aid</c>, as the JavaScript SDK writes it with its option <c>cookie</c>.
    /// </summary>
    public string AnonymousIdCookie { get; set; } = "spor_aid";

    /// <summary>Cookie with the session's id. Default <c>spor_sid</c>.</summary>
    public string SessionIdCookie { get; set; } = "spor_sid";

    /// <summary>
    /// Cookie with what the visitor has agreed to: <c>analytics</c>, <c>analytics.personalization</c>, or <c>none</c>. Default
    /// <c>spor_consent</c>.
    /// </summary>
    public string ConsentCookie { get; set; } = "spor_consent";

    /// <summary>Header with the visitor's id, for pages that call the backend from script. Default <c>X-Spor-Anonymous-Id</c>.</summary>
    public string AnonymousIdHeader { get; set; } = "X-Spor-Anonymous-Id";

    /// <summary>Header with the session's id. Default <c>X-Spor-Session-Id</c>.</summary>
    public string SessionIdHeader { get; set; } = "X-Spor-Session-Id";

    /// <summary>Header, query or form field with the search that led here. Default <c>X-Spor-Search-Id</c>.</summary>
    public string SearchIdHeader { get; set; } = "X-Spor-Search-Id";

    /// <summary>
    /// Whether a request that says nothing about consent counts as one without. Default true. The JavaScript SDK hands out ids
    /// only where it may track, and takes its cookies back when it may no longer, so that a request with an id has said it.
    /// </summary>
    public bool RequireConsent { get; set; } = true;

    /// <summary>What becomes of events in a request without consent. Default: they are dropped and counted.</summary>
    public WithoutConsent WithoutConsent { get; set; } = WithoutConsent.Drop;

    /// <summary>
    /// Asks the shop's own consent management instead of the cookie; null from it: nothing is known. Must be quick.
    /// </summary>
    public Func<HttpContext, Consent?>? GetConsent { get; set; }

    /// <summary>Gives the shop's own id of the signed-in customer. Default: none is sent.</summary>
    public Func<HttpContext, string?>? GetUserId { get; set; }

    /// <summary>Sales or marketing channel written into each event's context. Default: none.</summary>
    public string? Channel { get; set; }
}
