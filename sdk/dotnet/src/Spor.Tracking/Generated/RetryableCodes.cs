// Written by tools/generate-models.ts from schemas/errors.ts. Do not edit.

namespace Spor.Tracking;

/// <summary>Which error codes of the Event Receiver say that sending the same again may succeed.</summary>
internal static class RetryableCodes
{
    public static bool Contains(string? code) => code is
        "body_timeout" or
        "quota_exceeded" or
        "tenant_quota_exceeded" or
        "internal" or
        "stream_unavailable" or
        "stream_set_back" or
        "clocks_differ" or
        "keys_unavailable" or
        "overloaded" or
        "not_ready" or
        "stopping";
}
