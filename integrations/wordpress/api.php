<?php

/**
 * Ask the installation, without ever holding wp-admin up: 3 seconds at most, then a minute of rest.
 */

defined('ABSPATH') || exit;

const NEWSLETTER_DOOR_TOKEN = 'newsletter_door_token';
const NEWSLETTER_DOOR_ENTRIES = 'newsletter_door_entries';
const NEWSLETTER_DOOR_DOWN = 'newsletter_door_down';
const NEWSLETTER_DOOR_SECONDS = 3;

/** Tell whether the API can be asked. */
function newsletter_door_has_token(): bool
{
    $settings = newsletter_door_settings();
    return $settings['url'] !== '' && $settings['list'] !== '' && get_option(NEWSLETTER_DOOR_TOKEN, '') !== '';
}

/**
 * Send a request with the token; return `code` (0 where nothing answered) and `body` (an array).
 *
 * While the installation does not answer, nothing is asked for a minute.
 */
function newsletter_door_request(string $method, string $path, string $key = ''): array
{
    $settings = newsletter_door_settings();
    if (!newsletter_door_has_token() || get_transient(NEWSLETTER_DOOR_DOWN)) {
        return ['code' => 0, 'body' => []];
    }
    $headers = ['Authorization' => 'Bearer ' . get_option(NEWSLETTER_DOOR_TOKEN, ''), 'Accept' => 'application/json'];
    if ($key !== '') {
        $headers['Idempotency-Key'] = $key;
    }
    $answer = wp_remote_request($settings['url'] . '/api/v1' . $path, [
        'method' => $method,
        'timeout' => NEWSLETTER_DOOR_SECONDS,
        'redirection' => 0,
        'limit_response_size' => 512 * 1024,
        'headers' => $headers,
    ]);
    if (is_wp_error($answer)) {
        set_transient(NEWSLETTER_DOOR_DOWN, 1, MINUTE_IN_SECONDS);
        return ['code' => 0, 'body' => []];
    }
    $body = json_decode(wp_remote_retrieve_body($answer), true, 32);
    return ['code' => (int) wp_remote_retrieve_response_code($answer), 'body' => is_array($body) ? $body : []];
}

/** Return the newest entries by the key of their link, kept for a minute. */
function newsletter_door_entries(): array
{
    $known = get_transient(NEWSLETTER_DOOR_ENTRIES);
    if (is_array($known)) {
        return $known;
    }
    $list = newsletter_door_settings()['list'];
    $answer = newsletter_door_request('GET', '/entries?limit=100&list=' . rawurlencode($list));
    $entries = $answer['code'] === 200 ? newsletter_door_read_entries($answer['body']) : [];
    set_transient(NEWSLETTER_DOOR_ENTRIES, $entries, MINUTE_IN_SECONDS);
    return $entries;
}

/** Return the entry of a post, or null where the installation has not read it, or does not answer. */
function newsletter_door_find(int $post): ?array
{
    $link = get_permalink($post);
    $key = newsletter_door_link_key($link);
    $known = newsletter_door_entries();
    if (isset($known[$key]) || !is_string($link)) {
        return $known[$key] ?? null;
    }
    $query = ['list' => newsletter_door_settings()['list'], 'link' => $link];
    $answer = newsletter_door_request('GET', '/entries?' . http_build_query($query));
    return newsletter_door_read_entries($answer['body'])[$key] ?? null;
}

/** Return what is wrong with the connection, in words; '' if nothing is. */
function newsletter_door_check(): string
{
    $ping = newsletter_door_ping();
    if (is_wp_error($ping) || $ping === null || wp_remote_retrieve_response_code($ping) !== 200) {
        return __('The installation does not answer. Check its address.', 'newsletter-door');
    }
    if (get_option(NEWSLETTER_DOOR_TOKEN, '') === '') {
        return '';
    }
    delete_transient(NEWSLETTER_DOOR_DOWN);
    $list = rawurlencode(newsletter_door_settings()['list']);
    $code = newsletter_door_request('GET', '/lists/' . $list)['code'];
    if ($code === 401) {
        return __('The token is not valid any more.', 'newsletter-door');
    }
    if ($code !== 200) {
        return __('The token is not for this list.', 'newsletter-door');
    }
    if (newsletter_door_request('GET', '/campaigns?list=' . $list)['code'] !== 403) {
        return __('The token may do more than a blog needs. Make one with: newsletter token add blog --scope publish --list LIST', 'newsletter-door');
    }
    return '';
}

add_action('update_option_' . NEWSLETTER_DOOR_OPTION, function ($old, $new): void {
    delete_transient(NEWSLETTER_DOOR_ENTRIES);
    delete_transient(NEWSLETTER_DOOR_DOWN);
    $before = is_array($old) ? (string) ($old['url'] ?? '') : '';
    $after = is_array($new) ? (string) ($new['url'] ?? '') : '';
    if (newsletter_door_origin($before) !== newsletter_door_origin($after)) {
        delete_option(NEWSLETTER_DOOR_TOKEN); // it belongs to the other installation
    }
}, 10, 2);
