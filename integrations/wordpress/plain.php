<?php

/**
 * What needs no WordPress: reading typed settings and answers of the API, and saying a state in words.
 */

const NEWSLETTER_DOOR_FATES = ['new', 'ready', 'held', 'skipped', 'sent'];

/** Return a token of the API as it is stored, or '' for what is none. */
function newsletter_door_clean_token($typed): string
{
    $token = is_string($typed) ? trim($typed) : '';
    return preg_match('/^nlt_[A-Za-z0-9_-]{43}$/D', $token) ? $token : '';
}

/** Return a post's address without what differs between a blog and its feed: scheme, final slash, fragment. */
function newsletter_door_link_key($link): string
{
    if (!is_string($link)) {
        return '';
    }
    $link = html_entity_decode($link, ENT_QUOTES);
    return rtrim(preg_replace('~^https?://~i', '', strtok($link, '#') ?: ''), '/');
}

/**
 * Read entries of an answer: `id`, `fate`, `why`, `at_once` by the key of their link.
 *
 * Nothing of another shape gets through, and no more than 200 entries.
 */
function newsletter_door_read_entries($answer): array
{
    $entries = [];
    $rows = is_array($answer) && is_array($answer['data'] ?? null) ? $answer['data'] : [];
    foreach (array_slice(array_values($rows), 0, 200) as $row) {
        $entry = newsletter_door_read_entry($row);
        $key = is_array($row) ? newsletter_door_link_key($row['link'] ?? null) : '';
        if ($entry !== null && $key !== '' && !isset($entries[$key])) {
            $entries[$key] = $entry;
        }
    }
    return $entries;
}

/** Read one entry, or null for what is none. */
function newsletter_door_read_entry($row): ?array
{
    if (!is_array($row) || !is_int($row['id'] ?? null) || $row['id'] < 1) {
        return null;
    }
    if (!in_array($row['fate'] ?? null, NEWSLETTER_DOOR_FATES, true)) {
        return null;
    }
    $why = is_string($row['why'] ?? null) ? $row['why'] : '';
    return [
        'id' => $row['id'],
        'fate' => $row['fate'],
        'why' => substr(preg_replace('/[^\P{C}\n]/u', '', strip_tags($why)) ?? '', 0, 200),
        'at_once' => ($row['at_once'] ?? null) === true,
    ];
}

/** Return the place of a host and port, by which one installation is told from another. */
function newsletter_door_origin(string $url): string
{
    $parts = parse_url($url) ?: [];
    return strtolower(($parts['scheme'] ?? '') . '://' . ($parts['host'] ?? '') . ':' . ($parts['port'] ?? ''));
}

/** Return what readers see of the form beside its frame, in the language of the page. */
function newsletter_door_words(string $locale): array
{
    $words = [
        'en' => ['Subscribe to the newsletter', 'Subscribe on a page of its own'],
        'de' => ['Newsletter abonnieren', 'Auf einer eigenen Seite abonnieren'],
        'fr' => ['S’abonner à la newsletter', 'S’abonner sur une page à part'],
        'es' => ['Suscribirse al boletín', 'Suscribirse en una página aparte'],
        'ro' => ['Abonează-te la newsletter', 'Abonează-te pe o pagină separată'],
        'ar' => ['الاشتراك في النشرة', 'الاشتراك في صفحة مستقلة'],
    ];
    return $words[strtolower(substr($locale, 0, 2))] ?? $words['en'];
}
