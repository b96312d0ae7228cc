using System;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Spor.Tracking.AspNetCore;

/// <summary>Reads who is behind a request. What arrives there is the browser's word: it is bounded, never trusted.</summary>
internal sealed class VisitorReader(SporVisitorOptions options)
{
    private const int MaxIdLength = 200;
    private const int MaxUrlLength = 2048;
    private const int MaxLocaleLength = 35;

    public Visitor Read(HttpContext http)
    {
        var anonymousId = Sent(http.Request, options.AnonymousIdHeader, options.AnonymousIdCookie);
        var sessionId = Sent(http.Request, options.SessionIdHeader, options.SessionIdCookie);
        var handedOut = anonymousId is not null || sessionId is not null;
        var consent = ReadConsent(http, handedOut);
        if (consent?.Analytics != true && (consent is not null || options.RequireConsent))
        {
            return WithoutConsentOf(consent);
        }

        return new Visitor
        {
            AnonymousId = anonymousId,
            SessionId = sessionId,
            UserId = options.GetUserId?.Invoke(http) is { Length: > 0 and <= MaxIdLength } userId ? userId : null,
            Consent = consent,
            Context = ReadContext(http.Request),
        };
    }

    /// <summary>
    /// The search that led to this request, from header, query or form. Only from a form that was read already: to read it here
    /// would block, and throw where it is malformed.
    /// </summary>
    public string? ReadSearchId(HttpRequest request)
    {
        var name = options.SearchIdHeader;
        return Id(request.Headers[name]) ?? Id(request.Query[name]) ?? Id(request.HttpContext.Features.Get<IFormFeature>()?.Form?[name] ?? default);
    }

    private Visitor WithoutConsentOf(Consent? consent)
    {
        consent ??= new Consent { Analytics = false };
        return options.WithoutConsent == WithoutConsent.SendUnlinked
            ? new Visitor { SessionId = TrackingId.NewId(), Consent = consent }
            : new Visitor { Consent = consent, MayBeTracked = false };
    }

    private Consent? ReadConsent(HttpContext http, bool handedOut)
    {
        if (options.GetConsent is { } ask)
        {
            return ask(http);
        }

        if (http.Request.Cookies[options.ConsentCookie] is { Length: > 0 } cookie)
        {
            var agreed = cookie.Split('.', ',', ' ');
            return new Consent
            {
                Analytics = Array.IndexOf(agreed, "analytics") >= 0,
                Personalization = Array.IndexOf(agreed, "personalization") >= 0,
            };
        }

        return handedOut && options.RequireConsent ? new Consent { Analytics = true } : null;
    }

    private EventContext ReadContext(HttpRequest request)
    {
        // A script's request has an address of its own; the page it happened on is its referrer.
        var referrer = Address(request.Headers.Referer);
        var isPage = request.Headers["Sec-Fetch-Dest"] == "document";
        return new EventContext
        {
            Url = isPage ? Bounded($"{request.Scheme}://{request.Host}{request.PathBase}{request.Path}", MaxUrlLength) : referrer,
            Referrer = isPage ? referrer : null,
            Locale = ReadLocale(request),
            Channel = options.Channel,
        };
    }

    private static string? ReadLocale(HttpRequest request)
    {
        var preferred = request.Headers[HeaderNames.AcceptLanguage].ToString().Split(',', ';')[0].Trim();
        return preferred is "" or "*" ? null : Bounded(preferred, MaxLocaleLength);
    }

    /// <summary>An address without query and fragment, which may hold anything personal.</summary>
    private static string? Address(StringValues header)
    {
        var text = header.ToString();
        var end = text.AsSpan().IndexOfAny('?', '#');
        var address = end < 0 ? text : text[..end];
        return address.Length == 0 ? null : Bounded(address, MaxUrlLength);
    }

    private static string? Bounded(string text, int length) => text.Length <= length ? text : null;

    private static string? Sent(HttpRequest request, string header, string cookie) =>
        Id(request.Headers[header]) ?? Id(request.Cookies[cookie]);

    private static string? Id(StringValues value) => Id(value.Count == 1 ? value[0] : null);

    /// <summary>An id as the receiver takes it; null for anything else, so that no browser can spoil an event with one.</summary>
    private static string? Id(string? value) =>
        value is { Length: > 0 and <= MaxIdLength } && !value.AsSpan().ContainsAnyExceptInRange('!', '~') ? value : null;
}
