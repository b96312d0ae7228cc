// Written by tools/generate-models.ts from schemas/errors.ts. Do not edit.

namespace Spor.Tracking;

/// <summary>Which error codes of the Event Receiver say that sending the same again cannot succeed.</summary>
internal static class FinalCodes
{
    public static bool Contains(string? code) => code is
        "parameter_invalid" or
        "body_not_json" or
        "body_invalid" or
        "body_encoding_invalid" or
        "batch_empty" or
        "no_valid_event" or
        "key_conflict" or
        "key_missing" or
        "key_unknown" or
        "key_revoked" or
        "key_expired" or
        "origin_not_allowed" or
        "kind_not_allowed" or
        "body_too_large" or
        "batch_too_large" or
        "content_type_unsupported" or
        "encoding_unsupported";
}
