<?php

/**
 * Posts: their state in the list, and the page that sends one as a newsletter.
 */

defined('ABSPATH') || exit;

const NEWSLETTER_DOOR_PAGE = 'newsletter-door-send';

/** Tell whether somebody may have a post mailed: whoever may publish it. */
function newsletter_door_may_send(int $post): bool
{
    return get_post_type($post) === 'post' && current_user_can('publish_posts') && current_user_can('edit_post', $post);
}

/** Say what becomes of a post, in words without any markup. */
function newsletter_door_state(int $post): string
{
    if (newsletter_door_skips($post)) {
        return __('Not in the newsletter', 'newsletter-door');
    }
    if (get_post_status($post) !== 'publish' || !newsletter_door_has_token()) {
        return '';
    }
    $entry = newsletter_door_find($post);
    if ($entry === null) {
        return get_transient(NEWSLETTER_DOOR_DOWN)
            ? __('The installation does not answer', 'newsletter-door')
            : __('Not read yet', 'newsletter-door');
    }
    if ($entry['at_once']) {
        return __('Being sent', 'newsletter-door');
    }
    $words = [
        'new' => __('Dated in the future', 'newsletter-door'),
        'ready' => __('With the next digest', 'newsletter-door'),
        'held' => __('Held back', 'newsletter-door'),
        'skipped' => __('Not in the newsletter', 'newsletter-door'),
        'sent' => __('Sent', 'newsletter-door'),
    ];
    return $words[$entry['fate']] . ($entry['why'] === '' ? '' : ': ' . $entry['why']);
}

/** Have a post mailed, now or with the next digest; return what came of it, in words. */
function newsletter_door_send(int $post, bool $now, string $key): string
{
    $entry = newsletter_door_find($post);
    if ($entry === null) {
        newsletter_door_ping();
        return __('The newsletter has not read this post yet. Try again in a minute.', 'newsletter-door');
    }
    $path = '/entries/' . $entry['id'] . ($now ? '/send-now' : '/send');
    $code = newsletter_door_request('POST', $path, $key)['code'];
    newsletter_door_forget();
    if ($code === 200) {
        return $now
            ? __('The post is being sent.', 'newsletter-door')
            : __('The post goes with the next digest.', 'newsletter-door');
    }
    if ($code === 409) {
        return __('The post goes with the next digest anyway.', 'newsletter-door');
    }
    return $code === 0
        ? __('The installation does not answer. Nothing was changed; try again in a minute.', 'newsletter-door')
        : __('The installation refused. Test the connection under Settings > Newsletter.', 'newsletter-door');
}

/** Do what was posted to the page; return what came of it, '' where nothing was posted. */
function newsletter_door_receive(int $post): string
{
    $how = newsletter_door_posted('newsletter_door_how');
    if (!in_array($how, ['now', 'next'], true)) {
        return '';
    }
    if (!wp_verify_nonce(newsletter_door_posted('_wpnonce'), 'newsletter_door_send_' . $post) || !newsletter_door_may_send($post)) {
        return __('Nothing was done: this page was too old. Try again.', 'newsletter-door');
    }
    if (get_post_status($post) !== 'publish' || newsletter_door_skips($post)) {
        return __('Nothing was done: the post is not public, or not for the newsletter.', 'newsletter-door');
    }
    $key = newsletter_door_posted('newsletter_door_key');
    return newsletter_door_send($post, $how === 'now', preg_match('/^[0-9a-f-]{36}$/D', $key) ? $key : '');
}

/** Show the page that sends a post. */
function newsletter_door_send_page(): void
{
    $post = absint($_GET['post'] ?? 0);
    if (!newsletter_door_may_send($post)) {
        wp_die(esc_html__('You may not send this post.', 'newsletter-door'), 403);
    }
    $done = newsletter_door_receive($post);
    echo '<div class="wrap"><h1>' . esc_html__('Send as newsletter', 'newsletter-door') . '</h1>';
    if ($done !== '') {
        echo '<div class="notice notice-info" role="status"><p>' . esc_html($done) . '</p></div>';
    }
    printf('<h2>%s</h2><p>%s</p>', esc_html(get_the_title($post)), esc_html(newsletter_door_state($post)));
    if (get_post_status($post) === 'publish' && newsletter_door_has_token()) {
        echo '<form method="post">';
        wp_nonce_field('newsletter_door_send_' . $post);
        printf('<input type="hidden" name="newsletter_door_key" value="%s">', esc_attr(wp_generate_uuid4()));
        printf(
            '<p>%s</p><p><button class="button button-primary" name="newsletter_door_how" value="now">%s</button> <button class="button" name="newsletter_door_how" value="next">%s</button></p></form>',
            esc_html__('Now means: every subscriber who has not had this post gets it, alone, whatever they chose; what else they are owed comes with their digest. It cannot be taken back.', 'newsletter-door'),
            esc_html__('Send now', 'newsletter-door'),
            esc_html__('With the next digest', 'newsletter-door')
        );
    }
    echo '</div>';
}

add_action('admin_menu', function (): void {
    $title = __('Send as newsletter', 'newsletter-door');
    add_posts_page($title, $title, 'publish_posts', NEWSLETTER_DOOR_PAGE, 'newsletter_door_send_page');
});
add_action('admin_head', function (): void {
    remove_submenu_page('edit.php', NEWSLETTER_DOOR_PAGE);
});

add_filter('manage_post_posts_columns', function ($columns) {
    return is_array($columns) ? $columns + ['newsletter' => __('Newsletter', 'newsletter-door')] : $columns;
});
add_action('manage_post_posts_custom_column', function ($column, $post): void {
    if ($column === 'newsletter') {
        echo esc_html(newsletter_door_state((int) $post));
    }
}, 10, 2);

add_filter('post_row_actions', function ($actions, $post) {
    if (is_array($actions) && newsletter_door_has_token() && $post->post_status === 'publish' && newsletter_door_may_send($post->ID)) {
        $address = add_query_arg(['page' => NEWSLETTER_DOOR_PAGE, 'post' => $post->ID], admin_url('edit.php'));
        $actions['newsletter'] = sprintf(
            '<a href="%s">%s</a>',
            esc_url($address),
            esc_html__('Send as newsletter', 'newsletter-door')
        );
    }
    return $actions;
}, 10, 2);
